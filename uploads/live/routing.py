"""Where sockets knock; mounted by `project.asgi` for the scope type `websocket`."""

from channels.routing import URLRouter
from django.urls import path, re_path

from uploads.live.consumer import JobConsumer, NoSuchDoor

websocket_application = URLRouter(
    [
        path("ws/jobs/<key>/", JobConsumer.as_asgi()),
        re_path(r"", NoSuchDoor.as_asgi()),
    ]
)
