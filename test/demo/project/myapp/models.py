from django.db import models


class Entry(models.Model):
    """A line in the guest book."""

    name = models.CharField(max_length=80)
    text = models.CharField(max_length=500)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "entries"

    def __str__(self):
        return f"{self.name}: {self.text[:40]}"
