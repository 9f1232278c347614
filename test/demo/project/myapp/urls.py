from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from . import views

urlpatterns = [
    path("", RedirectView.as_view(url="/main/")),
    path("admin/", admin.site.urls),
    path("main", RedirectView.as_view(url="/main/")),
    path("main/", views.guestbook, name="guestbook"),
    path("main/upload", views.upload, name="upload"),
    path("main/slow", views.slow, name="slow"),
    path("main/events", views.events, name="events"),
    path("main/live", views.live, name="live"),
    path("main/request", views.request_vars, name="request"),
]
