"""Forms about a person: set-up, sign-in, e-mail, password, token, theme."""

from typing import Any

from django import forms
from django.contrib.auth import authenticate, get_user_model, password_validation
from django.contrib.auth.forms import PasswordChangeForm, UsernameField
from django.db import transaction

from uploads.errors import RequestError
from uploads.models import Preferences, SetupLink, SignInTry

THEME_CHOICES = (("", "Like the system"), ("light", "Light"), ("dark", "Dark"))
WRONG = "The name or the password is wrong."


def _password(label: str, autocomplete: str, help_text: str = "") -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, widget=widget, strip=False, help_text=help_text)


class SetupForm(forms.Form):
    """The first administrator's name and password."""

    username = UsernameField(
        label="Your name", max_length=150, widget=forms.TextInput(attrs={"autofocus": True})
    )
    password = _password("Password", "new-password", "At least 8 characters.")
    email = forms.EmailField(
        label="E-mail address",
        required=False,
        help_text="Only for messages that you ask for; may stay empty.",
    )

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        if get_user_model().objects.filter(username__iexact=name).exists():
            raise forms.ValidationError("This name is taken.")
        get_user_model().username_validator(name)
        return name

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        user = get_user_model()(username=self.cleaned_data.get("username", ""))
        password_validation.validate_password(password, user)
        return password

    def use_up(self, secret: str) -> Any:
        """Make the administrator and use the link up, both or neither.

        Raises `RequestError` (`setup_link_invalid`) for the second of two who try.
        """
        with transaction.atomic():
            if not SetupLink.use_up(secret):
                raise RequestError("setup_link_invalid")
            return get_user_model().objects.create_superuser(
                self.cleaned_data["username"],
                self.cleaned_data["email"],
                self.cleaned_data["password"],
            )


class SignInForm(forms.Form):
    """Name and password; the same words for an unknown name and a wrong password."""

    username = UsernameField(label="Name", widget=forms.TextInput(attrs={"autofocus": True}))
    password = _password("Password", "current-password")

    def __init__(self, request: Any, *args: Any, **kwargs: Any) -> None:
        self.request = request
        self.user: Any = None
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password:
            return self.cleaned_data
        address = self.request.META.get("REMOTE_ADDR", "")
        try:
            SignInTry.note(name, address)
        except RequestError as refusal:
            raise forms.ValidationError(str(refusal), code=refusal.code) from refusal
        self.user = authenticate(self.request, username=name, password=password)
        if self.user is None:
            raise forms.ValidationError(WRONG)
        SignInTry.forget(name, address)
        return self.cleaned_data


class NotifyForm(forms.Form):
    """Where e-mails go and whether a new job asks for one."""

    email = forms.EmailField(label="E-mail address", required=False)
    mail_when_done = forms.BooleanField(
        label="Tick “E-mail me when it is done” on every new job", required=False
    )

    def save(self, owner: Any) -> None:
        with transaction.atomic():
            owner.email = self.cleaned_data["email"]
            owner.save(update_fields=["email"])
            Preferences.objects.update_or_create(
                owner=owner, defaults={"mail_when_done": self.cleaned_data["mail_when_done"]}
            )


class NewPasswordForm(PasswordChangeForm):
    """Django's own form, with our words."""

    field_order = ["old_password", "new_password1", "new_password2"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
        labels = ("Current password", "New password", "New password again")
        for field, label in zip(self.fields.values(), labels, strict=True):
            field.label, field.help_text = label, ""
        self.fields["new_password1"].help_text = "At least 8 characters, no common word."


class TokenForm(forms.Form):
    """A name by which its owner knows a token again."""

    name = forms.CharField(
        label="What is it for?",
        max_length=100,
        widget=forms.TextInput(attrs={"placeholder": "backup script", "autocomplete": "off"}),
    )


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(choices=THEME_CHOICES, required=False, widget=forms.RadioSelect)
