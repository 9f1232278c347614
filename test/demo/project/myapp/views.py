"""The pages that a gateway has to carry: a form, an upload, a slow answer, a stream, and what the app was told."""
import hashlib
import time

from django.forms import ModelForm
from django.http import JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render

from .models import Entry

MAX_SLOW_SECONDS = 30
MAX_EVENTS = 3600


class EntryForm(ModelForm):
    class Meta:
        model = Entry
        fields = ["name", "text"]


def guestbook(request):
    form = EntryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("guestbook")
    return render(request, "myapp/guestbook.html", {"form": form, "entries": Entry.objects.all()[:20]})


def upload(request):
    """Answers a POST with the name, size and digest of each file."""
    if request.method != "POST":
        return render(request, "myapp/upload.html")
    return JsonResponse({"files": [describe(file) for file in request.FILES.getlist("file")]})


def describe(file):
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return {"name": file.name, "size": file.size, "sha256": digest.hexdigest()}


def slow(request):
    """Keeps its worker busy for `?seconds=`."""
    seconds = min(number(request, "seconds", 2.0), MAX_SLOW_SECONDS)
    time.sleep(seconds)
    return JsonResponse({"seconds": seconds})


def events(request):
    """Server-sent events: the time, `?count=` times, `?interval=` seconds apart."""
    count = int(min(number(request, "count", 60), MAX_EVENTS))
    interval = min(number(request, "interval", 1.0), MAX_SLOW_SECONDS)

    def stream():
        for index in range(count):
            if index:
                time.sleep(interval)
            yield f"id: {index}\ndata: {time.strftime('%H:%M:%S')}\n\n"

    response = StreamingHttpResponse(stream(), content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    # Each event has to leave at once, instead of waiting in a buffer on its way.
    response["X-Accel-Buffering"] = "no"
    return response


def live(request):
    return render(request, "myapp/live.html")


def request_vars(request):
    """What the app was told about the request: its vars, and what Django makes of them."""
    return JsonResponse({
        "vars": {
            key: value
            for key, value in sorted(request.META.items())
            if isinstance(value, str) and not key.startswith(("wsgi.", "uwsgi."))
        },
        "uri": request.build_absolute_uri(),
        "secure": request.is_secure(),
    })


def number(request, name, default):
    try:
        return max(0.0, float(request.GET.get(name, default)))
    except ValueError:
        return default
