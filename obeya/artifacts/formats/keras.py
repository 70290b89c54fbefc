"""Code in the configurations of Keras models, which describe objects to construct.

https://keras.io/api/models/model_saving_apis/serialization_utils/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_NODES_MAX = 1_000_000
_LAMBDAS = frozenset({"Lambda", "__lambda__"})
# Layers that load or run something that is not described by the configuration.
_RUNNING = frozenset(
    {
        "FlaxLayer",
        "JaxLayer",
        "TFOpLambda",
        "TFSMLayer",
        "TensorFlowOpLayer",
        "TorchModuleWrapper",
    }
)
# Activations, losses and metrics, which configurations name as functions: those that Keras exports
# (the packages activations, losses and metrics of https://github.com/keras-team/keras).
_FUNCTIONS = {
    "celu", "crelu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid",
    "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax",
    "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus",
    "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh",
    "tanh_shrink", "threshold", "binary_accuracy", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_accuracy", "categorical_crossentropy",
    "categorical_focal_crossentropy", "categorical_hinge", "circle", "cosine_similarity", "ctc",
    "dice", "hinge", "huber", "iou", "kl_divergence", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "poisson", "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy",
    "tversky",
}  # fmt: skip
# Values, and not objects that are constructed by their name.
_VALUES = frozenset(
    {
        "__bytes__",
        "__ellipsis__",
        "__keras_tensor__",
        "__numpy__",
        "__slice__",
        "__tensor__",
        "__tuple__",
        "__typespec__",
    }
)


def code_of_config(document: Any) -> Iterator[str]:
    """Yield what runs when Keras constructs the objects of a configuration."""
    waiting = [document]
    for _ in range(_NODES_MAX):
        if not waiting:
            return
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            if "class_name" in node and (what := _code_of_object(node)):
                yield what
    yield "a configuration that is too large to be read"


def _code_of_object(node: dict[str, Any]) -> str:
    name, module, registered = (
        str(node.get(key) or "") for key in ("class_name", "module", "registered_name")
    )
    if name in _LAMBDAS or registered.endswith(">Lambda"):
        return "Lambda layer"
    if name in _RUNNING:
        return f"{name} layer"
    is_of_keras = module in ("", "keras") or module.startswith("keras.")
    is_builtin = module == "builtins" and name == "function"
    if name == "function" and (is_of_keras or is_builtin):
        function = str(node.get("config"))
        return "" if function in _FUNCTIONS else f"the function {function}"[:200]
    is_custom = ">" in registered and not registered.startswith("keras")
    if name in _VALUES or (is_of_keras and not is_custom) or (is_builtin and not is_custom):
        return ""
    return f"the object {registered or f'{module}.{name}'}"[:200]
