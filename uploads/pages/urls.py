"""The pages' own doors; a job's page has its list beside this one."""

from django.urls import path

from uploads.pages.views import account, ask, begin, jobs, new, presets, settings, tables, uploads

urlpatterns = [
    path("", new.new_job, name="home"),
    path("ask/", ask.ask, name="ask"),
    path("ask/<slug:key>/tables/", ask.tables, name="ask-tables"),
    path("ask/<slug:key>/look/", ask.look, name="ask-look"),
    path("begin/<str:name>/", begin.begin, name="begin"),
    path("tables/", tables.tables, name="tables"),
    path("questions/", tables.questions, name="questions"),
    path("then/<int:place>/", new.then, name="then"),
    path("samples/", new.samples, name="samples"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/pause-all/", jobs.pause_all, name="pause-all"),
    path("jobs/resume-all/", jobs.resume_all, name="resume-all"),
    path("uploads/", uploads.uploads, name="uploads"),
    path("uploads/delete-unused/", uploads.delete_unused, name="delete-unused"),
    path("uploads/<slug:key>/delete/", uploads.delete, name="delete-upload"),
    path("presets/", presets.presets, name="presets"),
    path("presets/bring/", presets.bring, name="bring-preset"),
    path("presets/<slug:key>/delete/", presets.delete, name="delete-preset"),
    path("presets/<slug:key>.json", presets.share, name="share-preset"),
    path("settings/", settings.settings_page, name="settings"),
    path("settings/notify/", settings.notify, name="settings-notify"),
    path("settings/password/", settings.password, name="settings-password"),
    path("settings/theme/", settings.theme, name="settings-theme"),
    path("settings/tokens/", settings.add_token, name="add-token"),
    path("settings/tokens/<int:number>/revoke/", settings.revoke_token, name="revoke-token"),
    path("setup/<str:secret>/", account.setup, name="setup"),
    path("login/", account.sign_in, name="login"),
    path("logout/", account.sign_out, name="logout"),
]
