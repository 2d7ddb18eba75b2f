"""The configurations of PEFT's own suite, out of a checkout of it; nothing of it lies here."""
import importlib, pathlib, sys, types
from unittest.mock import MagicMock

import torch
from random_cases import Case, SMALL_NOISE


class Stub(types.ModuleType):
    """Stands for what the tests import and the lists of configurations do not need."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


def import_tests(folder):
    folder = pathlib.Path(folder).resolve()
    sys.path.insert(0, str(folder.parent))
    for name in ("pytest", "datasets", "parameterized", "accelerate.test_utils", "accelerate.test_utils.testing"):
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - whatever is not there is not needed
            sys.modules[name] = Stub(name)
    return importlib.import_module(f"{folder.name}.test_custom_models")


def build_of(tests, model):
    return lambda: tests.MockTransformerWrapper.from_pretrained(model)


def example(_base, _dtype):
    """The input of the suite, which all its networks take."""
    return dict(X=torch.arange(90).view(9, 10))


def peft_cases(folder):
    if not folder:
        return []
    tests = import_tests(folder)
    cases = []
    for name, model, config, kw in tests.TEST_CASES:
        for dtype in ("float32", "bfloat16"):
            noise = 0.02 if config.__name__ in SMALL_NOISE else 0.05
            cases.append(Case(f"peft-{name}".replace(" ", "_"), model, [(config, dict(kw))], dtype, build_of(tests, model), noise, example))
    for name, _, config, kw, second in getattr(tests, "MULTIPLE_ACTIVE_ADAPTERS_TEST_CASES", []):
        configs = [(config, dict(kw)), (config, dict(second))]
        cases.append(Case(f"peft-several-{name}".replace(" ", "_"), "MLP", configs, "float32", build_of(tests, "MLP"), example=example))
    return cases
