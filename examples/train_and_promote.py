"""Train classifiers on scikit-learn's data sets, and promote those that pass the policies.

    pip install '.[examples]'
    python examples/train_and_promote.py --out models

Each data set is a registered model, and each strength of regularisation a version of it, with its
metrics on held-out data and the digest of its file. Uses the registry in OBEYA_URL, with the token
in OBEYA_TOKEN.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from obeya import Metric, RegistryError, RemoteRegistry, Stage, TransitionRefused

DATA: dict[str, Callable[..., tuple[NDArray[Any], NDArray[Any]]]] = {
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
    "wine": load_wine,
}
# The inverse of the regularisation's strength, weakest model first.
STRENGTHS = (0.0001, 0.01, 1.0)


def save(classifier: Pipeline, file: Path) -> str:
    """Write the classifier's numbers and return their digest.

    Plain arrays, which `numpy.load` reads without pickle, so loading them runs no code.
    """
    scaler, regression = (step for _, step in classifier.steps)
    np.savez(
        file,
        mean=scaler.mean_,
        scale=scaler.scale_,
        coefficients=regression.coef_,
        intercept=regression.intercept_,
    )
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def train(registry: RemoteRegistry, name: str, strength: float, out: Path) -> int:
    """Train one classifier, register it and return its version number."""
    features, classes = DATA[name](return_X_y=True)
    seen, unseen, taught, asked = train_test_split(
        features, classes, test_size=0.4, random_state=0, stratify=classes
    )
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, max_iter=1000, random_state=0)
    ).fit(seen, taught)
    file = out / f"{name}-C{strength:g}.npz"
    digest = save(classifier, file)
    measured = {
        "accuracy": accuracy_score(asked, classifier.predict(unseen)),
        "log_loss": log_loss(asked, classifier.predict_proba(unseen)),
    }
    version = registry.register_model(
        name,
        metrics={
            metric: Metric(metric, float(value), len(asked), dataset=f"{name}, held-out 40 %")
            for metric, value in measured.items()
        },
        artifact_path=file.resolve().as_uri(),
        artifact_digest=digest,
        label=f"C={strength:g}",
        tags={"framework": "scikit-learn", "estimator": "LogisticRegression"},
    )
    print(f"{version}: {', '.join(f'{metric} {value:.3f}' for metric, value in measured.items())}")
    return version.version


def promote(registry: RemoteRegistry, name: str, number: int) -> bool:
    """Move the version to Production; return False if a move is refused."""
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        try:
            registry.transition_stage(
                name,
                number,
                stage,
                reason="Trained by example",
                archive_existing=stage is Stage.PRODUCTION,
            )
        except TransitionRefused as refused:
            print(f"  cannot enter {stage.label}: {refused}")
            return False
    print("  is in Production.")
    return True


def main() -> int:
    """Read the command line; return 0 if every model has a version in Production."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("models"), help="The folder for the files."
    )
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    registry = RemoteRegistry()
    promoted: dict[str, bool] = {}
    try:
        for name in DATA:
            for strength in STRENGTHS:
                number = train(registry, name, strength, given.out)
                promoted[name] = promote(registry, name, number) or promoted.get(name, False)
    except RegistryError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0 if all(promoted.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
