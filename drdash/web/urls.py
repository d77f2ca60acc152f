from django.urls import include, path

from drdash.web import dialogs, journal, pages, people, points, probes, progress, screenshots

# Ids may be anything, a slash included: what is behind them is matched first.
urlpatterns = [
    path("", pages.home, name="home"),
    path("sites/", pages.sites, name="sites"),
    path("sites/<path:uuid>/", pages.site, name="site"),
    path("servers/", pages.servers, name="servers"),
    path("servers/jump/", pages.jump, name="jump"),
    path("servers/<path:uuid>/actions/<str:kind>/", dialogs.dialog, name="dialog"),
    path("servers/<path:uuid>/tasks/", progress.of_server, name="server_tasks"),
    path("servers/<path:uuid>/screenshot/", screenshots.shown, name="screenshot"),
    path("servers/<path:uuid>/screenshot/<str:size>/", screenshots.picture, name="picture"),
    path("servers/<path:uuid>/recovery-points/", points.points, name="recovery_points"),
    path("servers/<path:uuid>/", pages.server, name="server"),
    path("actions/", journal.actions, name="actions"),
    path("actions/<int:pk>/", journal.action, name="action"),
    path("actions/<int:pk>/task/", progress.of_action, name="action_task"),
    path("audit/", journal.audit, name="audit"),
    path("login/", people.login, name="login"),
    path("logout/", people.logout, name="logout"),
    path("password/", people.Password.as_view(), name="password"),
    path("api/v1/", include("drdash.web.api_urls")),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
]
