"""Every door of the house."""

urlpatterns: list[object] = []
