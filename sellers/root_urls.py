"""The root of the site, which knows shops and is therefore not of the lowest floor."""

from django.urls import path

from sellers import views

urlpatterns = [path("", views.welcome, name="welcome")]
