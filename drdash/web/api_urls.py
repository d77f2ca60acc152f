from django.urls import path

from drdash.web import api

app_name = "api"
# Ids may be anything, a slash included: what is behind them is matched first.
urlpatterns = [
    path("", api.Nowhere.as_view()),
    path("schema/", api.Schema.as_view(), name="schema"),
    path("sites/", api.Sites.as_view(), name="sites"),
    path("sites/<path:uuid>/", api.Site.as_view(), name="site"),
    path("servers/", api.Servers.as_view(), name="servers"),
    path("servers/<path:uuid>/actions/", api.ServerActions.as_view(), name="server-actions"),
    path("servers/<path:uuid>/", api.Server.as_view(), name="server"),
    path("actions/", api.Actions.as_view(), name="actions"),
    path("actions/<int:pk>/", api.OneAction.as_view(), name="action"),
    path("<path:rest>/", api.Nowhere.as_view()),
]
