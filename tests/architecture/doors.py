"""Every door of the house, and what each kind of visitor gets there.

One line a door and method: the statuses for a stranger, the owner of the
objects in the address, another user, staff without any right, and an
administrator. Foreign and unknown objects answer 404 to everybody else.
"""

from dataclasses import dataclass
from typing import Any

Statuses = tuple[int, int, int, int, int]

EVERYBODY: Statuses = (200, 200, 200, 200, 200)
PAGE: Statuses = (302, 200, 200, 200, 200)  # a page of one's own things
FORM: Statuses = (401, 303, 303, 303, 303)
OWN_PAGE: Statuses = (302, 200, 404, 404, 404)
OWN_FORM: Statuses = (401, 303, 404, 404, 404)
SCRIPT: Statuses = (401, 200, 200, 200, 200)
OWN_SCRIPT: Statuses = (401, 200, 404, 404, 404)
STAFF: Statuses = (302, 404, 404, 403, 200)  # no staff: there is no console
STAFF_FORM: Statuses = (401, 404, 404, 403, 302)
NOTHING: Statuses = (302, 404, 404, 404, 404)


@dataclass(frozen=True)
class Case:
    """One method of one door; `address` fills the route with the names of `objects`."""

    route: str
    method: str
    statuses: Statuses
    address: str
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


def case(
    route: str, method: str, statuses: Statuses, address: str = "", body: Any = None, **headers: str
) -> Case:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Case(route, method, statuses, address or f"/{route}", body, tuple(named.items()))


TUS = {"Tus_Resumable": "1.0.0"}
PIECE = {**TUS, "Upload_Offset": "0", "Content_Type": "application/offset+octet-stream"}

PRESET = '{"name": "x", "stages": [{"operation": "image.convert"}]}'

PAGES = (
    case("", "GET", PAGE),
    case("", "POST", (401, 400, 400, 400, 400), body={"operation": "image.convert"}),
    case("ask/", "GET", (302, 200, 404, 404, 404)),
    case("ask/", "POST", (401, 400, 404, 404, 404), body={"name": "x"}),
    case("ask/<slug:key>/tables/", "GET", OWN_PAGE, "/ask/{connection}/tables/"),
    case("ask/<slug:key>/look/", "POST", OWN_FORM, "/ask/{connection}/look/"),
    case("begin/<str:name>/", "GET", PAGE, "/begin/test.alone/"),
    case("begin/<str:name>/", "POST", FORM, "/begin/test.alone/", body={"name": "x"}),
    case("questions/", "GET", PAGE),
    case("tables/", "POST", SCRIPT, body={"uploads": "x"}),
    case("then/<int:place>/", "GET", PAGE, "/then/1/"),
    case("presets/", "GET", PAGE),
    case("presets/bring/", "POST", (401, 303, 303, 303, 303), body={"text": PRESET}),
    case("presets/<slug:key>/delete/", "POST", OWN_FORM, "/presets/{preset}/delete/"),
    case("presets/<slug:key>.json", "GET", OWN_PAGE, "/presets/{preset}.json"),
    case("jobs/<key>/keep-preset/", "POST", OWN_FORM, "/jobs/{job}/keep-preset/", {"name": "x"}),
    case("samples/", "POST", FORM),
    case("jobs/", "GET", PAGE),
    case("jobs/pause-all/", "POST", FORM),
    case("jobs/resume-all/", "POST", FORM),
    case("uploads/", "GET", PAGE),
    case("uploads/delete-unused/", "POST", FORM),
    case("uploads/<slug:key>/delete/", "POST", OWN_FORM, "/uploads/{free_upload}/delete/"),
    case("settings/", "GET", PAGE),
    case("settings/notify/", "POST", FORM),
    case("settings/password/", "POST", (401, 400, 400, 400, 400)),
    case("settings/theme/", "POST", FORM, body={"theme": "dark"}),
    case("settings/tokens/", "POST", (401, 200, 200, 200, 200), body={"name": "x"}),
    case(
        "settings/tokens/<int:number>/revoke/", "POST", OWN_FORM, "/settings/tokens/{token}/revoke/"
    ),
    case("setup/<str:secret>/", "GET", (404,) * 5, "/setup/nothing/"),
    case("login/", "GET", (200, 303, 303, 303, 303)),
    case("logout/", "POST", FORM),
    case("healthz", "GET", (503,) * 5),
    case("metrics", "GET", (401, 404, 404, 200, 200)),
    case("jobs/<key>/", "GET", OWN_PAGE, "/jobs/{job}/"),
    case("jobs/<key>/state", "GET", OWN_PAGE, "/jobs/{job}/state"),
    case("jobs/<key>/log.txt", "GET", OWN_PAGE, "/jobs/{job}/log.txt"),
    case("jobs/<key>/cancel/", "POST", OWN_FORM, "/jobs/{job}/cancel/"),
    case("jobs/<key>/pause/", "POST", OWN_FORM, "/jobs/{job}/pause/"),
    case("jobs/<key>/resume/", "POST", OWN_FORM, "/jobs/{job}/resume/"),
    case("jobs/<key>/retry/", "POST", OWN_FORM, "/jobs/{ended}/retry/"),
    case("jobs/<key>/retry-with/", "GET", OWN_PAGE, "/jobs/{ended}/retry-with/"),
    case("jobs/<key>/retry-with/", "POST", OWN_FORM, "/jobs/{ended}/retry-with/"),
    case("jobs/<key>/run-all/", "POST", OWN_FORM, "/jobs/{job}/run-all/"),
    case("jobs/<key>/notify/", "POST", OWN_FORM, "/jobs/{job}/notify/"),
    case("jobs/<key>/notify-again/", "POST", OWN_FORM, "/jobs/{job}/notify-again/"),
    case("jobs/<key>/resend/", "POST", OWN_FORM, "/jobs/{ended}/resend/", {"message": "1"}),
    case("jobs/<key>/trial/", "POST", OWN_FORM, "/jobs/{ended}/trial/", {"letter": "1"}),
    case("jobs/<key>/delete/", "POST", OWN_FORM, "/jobs/{ended}/delete/"),
    case("jobs/<key>/results/", "GET", OWN_PAGE, "/jobs/{ended}/results/"),
    case("jobs/<key>/results.zip", "GET", OWN_PAGE, "/jobs/{ended}/results.zip"),
    case("jobs/<key>/watch/<int:place>/", "GET", OWN_PAGE, "/jobs/{stream}/watch/1/"),
    case(
        "jobs/<key>/watch/<int:place>/<name>", "GET", OWN_PAGE, "/jobs/{stream}/watch/1/index.m3u8"
    ),
    case("results/<key>/content", "GET", OWN_PAGE, "/results/{result}/content"),
    case("results/<key>/rows/", "GET", NOTHING, "/results/{result}/rows/"),  # a picture has none
    case("results/<key>/original", "GET", OWN_PAGE, "/results/{result}/original"),
)

INTAKE = (
    case("files/", "POST", (401, 201, 201, 201, 201), body=b"", Upload_Length="1", **TUS),
    case("files/<slug:key>", "HEAD", OWN_SCRIPT, "/files/{half_upload}", **TUS),
    case("files/<slug:key>", "GET", OWN_SCRIPT, "/files/{free_upload}"),
    case(
        "files/<slug:key>",
        "PATCH",
        (401, 204, 404, 404, 404),
        "/files/{half_upload}",
        b"x",
        **PIECE,
    ),
    case("files/<slug:key>", "DELETE", (401, 204, 404, 404, 404), "/files/{half_upload}", **TUS),
)

NEW_JOB = {"operation": "image.convert", "uploads": ["{free_upload}"]}
API = (
    case("api/v1/", "GET", SCRIPT),
    case("api/v1/openapi.json", "GET", EVERYBODY),
    case("api/v1/operations/", "GET", SCRIPT),
    case("api/v1/operations/<str:name>/", "GET", SCRIPT, "/api/v1/operations/image.convert/"),
    case("api/v1/jobs/", "GET", SCRIPT),
    # Somebody else's upload is refused as one that does not exist.
    case("api/v1/jobs/", "POST", (401, 201, 400, 400, 400), body=NEW_JOB),
    case("api/v1/jobs/<str:key>/", "GET", OWN_SCRIPT, "/api/v1/jobs/{job}/"),
    case("api/v1/jobs/<str:key>/", "DELETE", (401, 204, 404, 404, 404), "/api/v1/jobs/{ended}/"),
    case("api/v1/jobs/<str:key>/cancel/", "POST", OWN_SCRIPT, "/api/v1/jobs/{job}/cancel/"),
    case("api/v1/jobs/<str:key>/pause/", "POST", OWN_SCRIPT, "/api/v1/jobs/{job}/pause/"),
    case("api/v1/jobs/<str:key>/resume/", "POST", OWN_SCRIPT, "/api/v1/jobs/{job}/resume/"),
    case("api/v1/jobs/<str:key>/retry/", "POST", OWN_SCRIPT, "/api/v1/jobs/{ended}/retry/"),
    case("api/v1/jobs/<str:key>/state", "GET", OWN_SCRIPT, "/api/v1/jobs/{job}/state"),
    case("api/v1/jobs/<str:key>/items/", "GET", OWN_SCRIPT, "/api/v1/jobs/{job}/items/"),
    case("api/v1/jobs/<str:key>/results/", "GET", OWN_SCRIPT, "/api/v1/jobs/{ended}/results/"),
    case(
        "api/v1/jobs/<str:key>/archive.zip", "GET", OWN_SCRIPT, "/api/v1/jobs/{ended}/archive.zip"
    ),
    case("api/v1/results/<str:key>/content", "GET", OWN_SCRIPT, "/api/v1/results/{result}/content"),
    case("api/v1/jobs/<str:key>/steps/", "GET", OWN_SCRIPT, "/api/v1/jobs/{job}/steps/"),
    case("api/v1/jobs/<str:key>/messages/", "GET", OWN_SCRIPT, "/api/v1/jobs/{ended}/messages/"),
    case(
        "api/v1/jobs/<str:key>/messages/<str:number>/resend/",
        "POST",
        OWN_SCRIPT,
        "/api/v1/jobs/{ended}/messages/{message}/resend/",
    ),
    case("api/v1/connections/", "GET", SCRIPT),
    case("api/v1/connections/<str:key>/", "GET", OWN_SCRIPT, "/api/v1/connections/{connection}/"),
    case(
        "api/v1/jobs/<str:key>/trial/",
        "POST",
        (401, 403, 404, 404, 404),
        "/api/v1/jobs/{ended}/trial/",
    ),
    case("api/v1/presets/", "GET", SCRIPT),
    case(
        "api/v1/presets/",
        "POST",
        (401, 201, 201, 201, 201),
        body={"name": "x", "stages": [{"operation": "image.convert"}]},
    ),
    case("api/v1/presets/<str:key>/", "GET", OWN_SCRIPT, "/api/v1/presets/{preset}/"),
    case(
        "api/v1/presets/<str:key>/",
        "DELETE",
        (401, 204, 404, 404, 404),
        "/api/v1/presets/{preset}/",
    ),
    case("api/v1/holds/", "GET", SCRIPT),
    case("api/v1/holds/", "POST", (401, 403, 403, 403, 201), body={"place": "all"}),
    case(
        "api/v1/holds/<str:place>/", "DELETE", (401, 403, 403, 403, 204), "/api/v1/holds/lane:cpu/"
    ),
    case("api/v1/lanes/", "GET", (401, 403, 403, 403, 200)),
    case(
        "api/v1/lanes/<str:lane>/limit/",
        "PUT",
        (401, 403, 403, 403, 200),
        "/api/v1/lanes/cpu/limit/",
        body={"max_inflight": 2},
    ),
    case(
        "api/v1/lanes/<str:lane>/limit/",
        "DELETE",
        (401, 403, 403, 403, 204),
        "/api/v1/lanes/cpu/limit/",
    ),
    case("api/v1/uploads/", "GET", SCRIPT),
    case("api/v1/uploads/<str:key>/", "GET", OWN_SCRIPT, "/api/v1/uploads/{free_upload}/"),
    case(
        "api/v1/uploads/<str:key>/",
        "DELETE",
        (401, 204, 404, 404, 404),
        "/api/v1/uploads/{free_upload}/",
    ),
    case("api/v1/[any]", "GET", (404,) * 5, "/api/v1/nothing"),
)

PERSON = "admin/auth/user/<path:object_id>"
GROUP = "admin/auth/group/<path:object_id>"
BASE = "admin/uploads/connection/<path:object_id>"
CONSOLE = (
    case("admin/", "GET", STAFF),
    case("admin/login/", "GET", (302, 404, 404, 302, 302)),
    case("admin/logout/", "POST", (401, 404, 404, 404, 404)),
    case("admin/password_change/", "GET", (302, 404, 404, 302, 302)),
    case("admin/password_change/done/", "GET", (302, 404, 404, 302, 302)),
    case("admin/autocomplete/", "GET", (302, 404, 404, 403, 403)),
    case("admin/jsi18n/", "GET", (302, 404, 404, 200, 200)),
    case("admin/r/<path:content_type_id>/<path:object_id>/", "GET", NOTHING, "/admin/r/1/1/"),
    case("admin/uploads/upload/", "GET", STAFF),
    case("admin/uploads/job/", "GET", STAFF),
    case("admin/uploads/job/failures/", "GET", STAFF),
    case(
        "admin/uploads/job/command/",
        "POST",
        STAFF_FORM,
        body={"verb": "pause", "job": "{job}"},
    ),
    case("admin/uploads/job/<slug:key>/change/", "GET", STAFF, "/admin/uploads/job/{job}/change/"),
    case(
        "admin/uploads/job/<slug:key>/<slug:verb>/",
        "POST",
        STAFF_FORM,
        "/admin/uploads/job/{job}/cancel/",
    ),
    case("admin/uploads/worker/", "GET", STAFF),
    case(
        "admin/uploads/worker/hold/", "POST", STAFF_FORM, body={"place": "lane:cpu", "do": "hold"}
    ),
    case(
        "admin/uploads/worker/limit/",
        "POST",
        STAFF_FORM,
        body={"lane": "cpu", "max_inflight": "2"},
    ),
    case("admin/admin/logentry/", "GET", STAFF),
    case("admin/auth/user/", "GET", STAFF),
    case("admin/auth/user/add/", "GET", STAFF),
    case("admin/auth/user/<id>/password/", "GET", STAFF, "/admin/auth/user/{person}/password/"),
    case(f"{PERSON}/history/", "GET", STAFF, "/admin/auth/user/{person}/history/"),
    case(f"{PERSON}/delete/", "GET", STAFF, "/admin/auth/user/{person}/delete/"),
    case(f"{PERSON}/change/", "GET", STAFF, "/admin/auth/user/{person}/change/"),
    case(f"{PERSON}/", "GET", (302, 404, 404, 302, 302), "/admin/auth/user/{person}/"),
    case("admin/uploads/connection/", "GET", STAFF),
    case("admin/uploads/connection/add/", "GET", STAFF),
    case(
        "admin/uploads/connection/<int:number>/try/",
        "POST",
        STAFF_FORM,
        "/admin/uploads/connection/{connection_number}/try/",
    ),
    case(
        f"{BASE}/history/", "GET", STAFF, "/admin/uploads/connection/{connection_number}/history/"
    ),
    case(f"{BASE}/delete/", "GET", STAFF, "/admin/uploads/connection/{connection_number}/delete/"),
    case(f"{BASE}/change/", "GET", STAFF, "/admin/uploads/connection/{connection_number}/change/"),
    case(
        f"{BASE}/",
        "GET",
        (302, 404, 404, 302, 302),
        "/admin/uploads/connection/{connection_number}/",
    ),
    case("admin/auth/group/", "GET", STAFF),
    case("admin/auth/group/add/", "GET", STAFF),
    case(f"{GROUP}/history/", "GET", STAFF, "/admin/auth/group/{group}/history/"),
    case(f"{GROUP}/delete/", "GET", STAFF, "/admin/auth/group/{group}/delete/"),
    case(f"{GROUP}/change/", "GET", STAFF, "/admin/auth/group/{group}/change/"),
    case(f"{GROUP}/", "GET", (302, 404, 404, 302, 302), "/admin/auth/group/{group}/"),
    case(
        "admin/^(?P<app_label>admin|uploads|auth)/$",
        "GET",
        (302, 404, 404, 302, 302),
        "/admin/uploads/",
    ),
    case("admin/(?P<url>.*)$", "GET", NOTHING, "/admin/nothing/"),
)

CASES = (*PAGES, *INTAKE, *API, *CONSOLE)

# Sockets answer with a close code instead of a status; 0 is an open one.
SOCKETS: dict[str, Statuses] = {"ws/jobs/<key>/": (4401, 0, 4404, 4404, 4404)}
