"""A form field that takes several files."""

from django import forms


class Files(forms.FileField):
    """One or more files; none where it is not required."""

    widget = type("FilesInput", (forms.ClearableFileInput,), {"allow_multiple_selected": True})

    def clean(self, data, initial=None):
        given = (data or [None]) if isinstance(data, list | tuple) else [data]
        cleaned = [super(Files, self).clean(each, initial) for each in given]
        return [each for each in cleaned if each]
