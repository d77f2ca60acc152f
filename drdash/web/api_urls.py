from django.urls import path, register_converter
from django.urls.converters import StringConverter

from drdash.web import api, api_acting


class AnyTextConverter(StringConverter):
    """An id may be anything: a slash, a line's end."""

    regex = "(?s:.+)"


register_converter(AnyTextConverter, "anytext")
app_name = "api"
# What is behind an id is matched first.
urlpatterns = [
    path("", api.Nowhere.as_view()),
    path("schema/", api.Schema.as_view(), name="schema"),
    path("sites/", api.Sites.as_view(), name="sites"),
    path("sites/<anytext:uuid>/", api.Site.as_view(), name="site"),
    path("servers/", api.Servers.as_view(), name="servers"),
    path("servers/<anytext:uuid>/actions/", api_acting.ServerActions.as_view(), name="server-actions"),
    path("servers/<anytext:uuid>/", api.Server.as_view(), name="server"),
    path("actions/", api.Actions.as_view(), name="actions"),
    path("actions/<int:pk>/", api.OneAction.as_view(), name="action"),
    path("<anytext:rest>/", api.Nowhere.as_view()),
]
