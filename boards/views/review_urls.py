"""Addresses of transition requests, waivers and promotion records."""

from __future__ import annotations

from django.urls import path

from boards.views import promotion_record, request_form, requests, waivers

_VERSION = "models/<str:name>/versions/<int:number>"
_RECORD = "records/<uuid:chain>/<int:sequence>"

urlpatterns = [
    path("requests/", requests.inbox, name="requests"),
    path("requests/<uuid:uid>/", requests.request_page, name="request"),
    path("requests/<uuid:uid>/vote/", requests.vote, name="vote"),
    path("requests/<uuid:uid>/withdraw/", requests.withdraw, name="withdraw"),
    path(f"{_VERSION}/request/", request_form.request_transition, name="request_transition"),
    path(f"{_VERSION}/waive/", waivers.waive, name="waive"),
    path("waivers/", waivers.waivers, name="waivers"),
    path("waivers/<uuid:uid>/revoke/", waivers.revoke_waiver, name="revoke_waiver"),
    path(f"{_RECORD}/", promotion_record.record, name="record"),
    path(f"{_RECORD}/record.json", promotion_record.record_json, name="record_json"),
]
