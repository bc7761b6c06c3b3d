"""Models as their users export them: trained here, exported by the real exporters, and run by onnxruntime.

    python tests/onnx/exports.py FOLDER

writes one folder for each export into FOLDER: `model.onnx`, `inputs.f32` (rows of 32-bit floats, little-endian, NaN for a
missing value), `expected.f32` (what onnxruntime gives for each row) and `shape.txt` (how many rows, inputs and outputs, and
the labels). `tests/integration/onnx_exports.rs` compares the native evaluator with them.
"""

import pathlib
import sys
import warnings

import lightgbm
import numpy as np
import onnx
import onnxruntime
import xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as MlToolsFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn import datasets
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

ROWS = 200


def sklearn_bytes(model, x, **options):
    """What skl2onnx makes of a fitted model with one input of floats."""
    chosen = {id(model): options} if options else None
    shape = [("X", FloatTensorType([None, x.shape[1]]))]
    return to_onnx(model, initial_types=shape, options=chosen, target_opset={"": 18, "ai.onnx.ml": 3}).SerializeToString()


def sklearn_columns(model, names):
    """What skl2onnx makes of a fitted model with one input for each column."""
    shape = [(name, FloatTensorType([None, 1])) for name in names]
    return to_onnx(model, initial_types=shape, options={id(model): {"zipmap": False}}, target_opset={"": 18, "ai.onnx.ml": 3}).SerializeToString()


def lightgbm_bytes(model, x, **options):
    return convert_lightgbm(model, initial_types=[("X", MlToolsFloat([None, x.shape[1]]))], target_opset=15, **options).SerializeToString()


def xgboost_bytes(model, x):
    return convert_xgboost(model, initial_types=[("X", MlToolsFloat([None, x.shape[1]]))], target_opset=15).SerializeToString()


def folded(scaler, model):
    """A logistic regression with its scaler in its weights."""
    bare = LogisticRegression()
    bare.classes_, bare.n_features_in_ = model.classes_, model.n_features_in_
    bare.coef_ = model.coef_ / scaler.scale_
    bare.intercept_ = model.intercept_ - bare.coef_ @ scaler.mean_
    return bare


def holes(x, share=0.15):
    """The same rows with some values missing."""
    with_holes = x.copy()
    with_holes[np.random.RandomState(5).rand(*x.shape) < share] = np.nan
    return with_holes


class Data:
    """The data sets that come with scikit-learn, as 32-bit floats."""

    def __init__(self, load, classes=None):
        bunch = load()
        self.x = bunch.data.astype(np.float32)
        self.y = bunch.target if classes is None else np.array(classes)[bunch.target]


def nine(cancer):
    """The nine common exports of the same 30 columns."""
    x, y = cancer.x, cancer.y
    scaler = StandardScaler().fit(x)
    linear = LogisticRegression(max_iter=1000).fit(scaler.transform(x), y)
    scaled = make_pipeline(scaler, linear)
    boosted = GradientBoostingClassifier(n_estimators=50, max_depth=3, random_state=0).fit(x, y)
    forest = RandomForestClassifier(n_estimators=50, random_state=0).fit(x, y)
    light = lightgbm.LGBMClassifier(n_estimators=100, num_leaves=31, verbose=-1, random_state=0, min_child_samples=1).fit(x, y)
    extreme = xgboost.XGBClassifier(n_estimators=100, max_depth=6, random_state=0, n_jobs=1).fit(x, y)
    yield "sklearn_scaler_logistic_zipmap", sklearn_bytes(scaled, x), x
    yield "sklearn_scaler_logistic", sklearn_bytes(scaled, x, zipmap=False), x
    yield "sklearn_logistic_folded", sklearn_bytes(folded(scaler, linear), x, zipmap=False), x
    yield "sklearn_boosting_zipmap", sklearn_bytes(boosted, x), x
    yield "sklearn_boosting", sklearn_bytes(boosted, x, zipmap=False), x
    yield "sklearn_forest", sklearn_bytes(forest, x, zipmap=False), x
    yield "lightgbm_zipmap", lightgbm_bytes(light, x), x
    yield "lightgbm", lightgbm_bytes(light, x, zipmap=False), x
    yield "xgboost", xgboost_bytes(extreme, x), x


def classifiers(cancer, flowers, wine, digits):
    """Several classes, labels of text, pipelines, missing values."""
    x, y = flowers.x, flowers.y
    yield "iris_logistic_text_labels", sklearn_bytes(LogisticRegression(max_iter=1000).fit(x, y), x, zipmap=False), x
    one = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(x, y)
    yield "iris_one_vs_rest", sklearn_bytes(one, x, zipmap=False), x
    sgd = SGDClassifier(loss="log_loss", random_state=0).fit(x, y)
    yield "iris_sgd", sklearn_bytes(sgd, x, zipmap=False), x
    tree = DecisionTreeClassifier(random_state=0).fit(x, y)
    yield "iris_tree_text_labels", sklearn_bytes(tree, x), x
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    columns = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    yield "iris_separate_inputs", sklearn_columns(columns, names), x
    mixed = ColumnTransformer([("s", StandardScaler(), [0, 2]), ("m", MinMaxScaler(), [3, 1])])
    mixed = make_pipeline(mixed, LogisticRegression(max_iter=1000)).fit(x, y)
    yield "iris_column_transformer", sklearn_bytes(mixed, x, zipmap=False), x
    x, y = wine.x, wine.y
    for name, step in [("l1", Normalizer("l1")), ("l2", Normalizer("l2")), ("max", Normalizer("max")), ("robust", RobustScaler()), ("max_abs", MaxAbsScaler())]:
        yield f"wine_{name}", sklearn_bytes(make_pipeline(step, LogisticRegression(max_iter=3000)).fit(x, y), x, zipmap=False), x
    filled = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000)).fit(holes(x), y)
    yield "wine_imputer", sklearn_bytes(filled, x, zipmap=False), holes(x)
    yield "wine_boosting", sklearn_bytes(GradientBoostingClassifier(n_estimators=20, random_state=0).fit(x, y), x, zipmap=False), x
    light = lightgbm.LGBMClassifier(n_estimators=30, verbose=-1, random_state=0).fit(holes(x), y)
    yield "wine_lightgbm_missing", lightgbm_bytes(light, x, zipmap=False), holes(x)
    extreme = xgboost.XGBClassifier(n_estimators=30, max_depth=4, random_state=0, n_jobs=1).fit(holes(x), y)
    yield "wine_xgboost_missing", xgboost_bytes(extreme, x), holes(x)
    x, y = digits.x, digits.y
    forest = RandomForestClassifier(n_estimators=30, max_depth=8, random_state=0).fit(x, y)
    yield "digits_forest", sklearn_bytes(forest, x, zipmap=False), x
    extra = ExtraTreesClassifier(n_estimators=30, max_depth=8, random_state=0).fit(x, y)
    yield "digits_extra_trees", sklearn_bytes(extra, x), x
    x, y = cancer.x, cancer.y
    light = lightgbm.LGBMClassifier(n_estimators=60, verbose=-1, random_state=0).fit(holes(x), y)
    yield "cancer_lightgbm_missing", lightgbm_bytes(light, x), holes(x)
    light = lightgbm.LGBMClassifier(n_estimators=30, verbose=-1, random_state=0, boosting_type="rf", bagging_freq=1, bagging_fraction=0.7).fit(x, y)
    yield "cancer_lightgbm_rf", lightgbm_bytes(light, x, zipmap=False), x
    extreme = xgboost.XGBClassifier(n_estimators=60, max_depth=4, random_state=0, n_jobs=1, base_score=0.3).fit(holes(x), y)
    yield "cancer_xgboost_missing", xgboost_bytes(extreme, x), holes(x)
    kinds = categories()
    light = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, random_state=0).fit(kinds[0], kinds[1], categorical_feature=[0])
    yield "lightgbm_categories", lightgbm_bytes(light, kinds[0], zipmap=False), kinds[0]


def categories():
    """A column of 12 kinds without an order, beside two columns of numbers."""
    random = np.random.RandomState(3)
    kind = random.randint(0, 12, 600)
    x = np.column_stack([kind, random.randn(600), random.randn(600)]).astype(np.float32)
    return x, (np.isin(kind, [1, 4, 5, 9]) ^ (x[:, 1] > 0.8)).astype(int)


def regressors(diabetes):
    x, y = diabetes.x, diabetes.y
    for name, model in [
        ("linear", LinearRegression()),
        ("ridge_scaled", make_pipeline(StandardScaler(), Ridge())),
        ("tree", DecisionTreeRegressor(max_depth=6, random_state=0)),
        ("forest", RandomForestRegressor(n_estimators=30, max_depth=7, random_state=0)),
        ("boosting", GradientBoostingRegressor(n_estimators=50, random_state=0)),
    ]:
        yield f"diabetes_{name}", sklearn_bytes(model.fit(x, y), x), x
    two = RandomForestRegressor(n_estimators=10, max_depth=5, random_state=0).fit(x, np.column_stack([y, -y]))
    yield "diabetes_forest_two_targets", sklearn_bytes(two, x), x
    light = lightgbm.LGBMRegressor(n_estimators=60, verbose=-1, random_state=0).fit(holes(x), y)
    yield "diabetes_lightgbm_missing", lightgbm_bytes(light, x), holes(x)
    counts = lightgbm.LGBMRegressor(n_estimators=30, objective="poisson", verbose=-1, random_state=0).fit(x, y)
    yield "diabetes_lightgbm_poisson", lightgbm_bytes(counts, x), x
    extreme = xgboost.XGBRegressor(n_estimators=60, max_depth=5, random_state=0, n_jobs=1).fit(holes(x), y)
    yield "diabetes_xgboost_missing", xgboost_bytes(extreme, x), holes(x)


def expected(model, x):
    """What onnxruntime gives: the probabilities or values of each row, and the labels in their order."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    feeds = {names[0]: x} if len(names) == 1 else {name: x[:, [at]] for at, name in enumerate(names)}
    outputs = session.run(None, feeds)
    scores = outputs[-1]
    if isinstance(scores, list):
        labels = list(scores[0])
        scores = np.array([[row[label] for label in labels] for row in scores], dtype=np.float32)
    return np.asarray(scores, dtype=np.float32).reshape(len(x), -1)


def write(folder, name, model, x):
    x = np.ascontiguousarray(x[:ROWS], dtype=np.float32)
    scores = expected(model, x)
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.onnx").write_bytes(model)
    (place / "inputs.f32").write_bytes(x.tobytes())
    (place / "expected.f32").write_bytes(scores.tobytes())
    (place / "shape.txt").write_text(f"{len(x)} {x.shape[1]} {scores.shape[1]}\n")
    nodes = " ".join(node.op_type for node in onnx.load_from_string(model).graph.node)
    print(f"{name}: {len(model)} B, {scores.shape[1]} outputs, {nodes}")


def main():
    folder = pathlib.Path(sys.argv[1])
    warnings.filterwarnings("ignore")
    cancer, wine, digits = Data(datasets.load_breast_cancer), Data(datasets.load_wine), Data(datasets.load_digits)
    flowers = Data(datasets.load_iris, ["setosa", "versicolor", "virginica"])
    for group in [nine(cancer), classifiers(cancer, flowers, wine, digits), regressors(Data(datasets.load_diabetes))]:
        for name, model, x in group:
            write(folder, name, model, x)


if __name__ == "__main__":
    main()
