"""The addresses of the pages."""

from __future__ import annotations

from django.urls import include, path

from boards.views import accounts, board, tokens, transition

app_name = "boards"

urlpatterns = [
    path("", board.board, name="board"),
    path("board/<str:stage>/", board.board_column, name="board_column"),
    path(
        "models/<str:name>/versions/<int:number>/transition/",
        transition.transition_stage,
        name="transition_stage",
    ),
    path(
        "models/<str:name>/versions/<int:number>/moves/",
        transition.moves,
        name="moves",
    ),
    path("", include("boards.views.catalog_urls")),
    path("", include("boards.views.governance_urls")),
    path("", include("boards.views.operations_urls")),
    path("", include("boards.views.review_urls")),
    path("sign-in/", accounts.sign_in, name="sign_in"),
    path("sign-in/once/<str:token>/", accounts.sign_in_once, name="sign_in_once"),
    path("sign-out/", accounts.sign_out, name="sign_out"),
    path("password/", accounts.set_password, name="set_password"),
    path("settings/tokens/", tokens.tokens, name="tokens"),
    path("settings/tokens/<uuid:uid>/revoke/", tokens.revoke_token, name="revoke_token"),
    path("theme/", accounts.set_theme, name="set_theme"),
]
