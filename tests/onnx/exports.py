"""Models as their users export them: trained here, exported by the real exporters, and run by onnxruntime.

    python tests/onnx/exports.py FOLDER
    python tests/onnx/exports.py tests/fixtures/onnx --fixtures

writes one folder for each export into FOLDER: `model.onnx`, `inputs.f32` (rows of 32-bit floats, little-endian, NaN for a
missing value), `expected.f32` (what onnxruntime gives for each row) and `shape.txt` (how many rows, inputs and outputs; then
the labels, one a line). `tests/onnx/main.rs` compares the native evaluator with them.
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
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn import datasets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

ROWS = 200

# Small ones that lie in `tests/fixtures/onnx`, so that the plain tests have some.
FIXTURES = [
    "cancer_lightgbm_rf",
    "cancer_xgboost_missing",
    "diabetes_forest_two_targets",
    "diabetes_linear",
    "diabetes_tree",
    "iris_calibrated",
    "iris_column_transformer",
    "iris_network",
    "iris_one_vs_rest",
    "iris_separate_inputs",
    "iris_sgd",
    "iris_tree_text_labels",
    "lightgbm_categories",
    "one_hot_and_numbers",
    "random_03",
    "random_05",
    "random_08",
    "random_10",
    "sklearn_logistic_folded",
    "sklearn_scaler_logistic_zipmap",
    "wine_imputer",
    "xgboost",
]


OPSETS = {"": 18, "ai.onnx.ml": 3}


def sklearn_bytes(model, x, kind=FloatTensorType, **options):
    """What skl2onnx makes of a fitted model with one input."""
    chosen = {id(model): options} if options else None
    shape = [("X", kind([None, x.shape[1]]))]
    return to_onnx(model, initial_types=shape, options=chosen, target_opset=OPSETS).SerializeToString()


def sklearn_columns(model, names):
    """What skl2onnx makes of a fitted model with one input for each column."""
    shape = [(name, FloatTensorType([None, 1])) for name in names]
    return to_onnx(model, initial_types=shape, options={id(model): {"zipmap": False}}, target_opset=OPSETS).SerializeToString()


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
    yield "sklearn_scaler_logistic_zipmap", sklearn_bytes(scaled, x), x, y
    yield "sklearn_scaler_logistic", sklearn_bytes(scaled, x, zipmap=False), x, y
    yield "sklearn_logistic_folded", sklearn_bytes(folded(scaler, linear), x, zipmap=False), x, y
    yield "sklearn_boosting_zipmap", sklearn_bytes(boosted, x), x, y
    yield "sklearn_boosting", sklearn_bytes(boosted, x, zipmap=False), x, y
    yield "sklearn_forest", sklearn_bytes(forest, x, zipmap=False), x, y
    yield "lightgbm_zipmap", lightgbm_bytes(light, x), x, y
    yield "lightgbm", lightgbm_bytes(light, x, zipmap=False), x, y
    yield "xgboost", xgboost_bytes(extreme, x), x, y


def classifiers(cancer, flowers, wine, digits):
    """Several classes, labels of text, pipelines, missing values."""
    x, y = flowers.x, flowers.y
    yield "iris_logistic_text_labels", sklearn_bytes(LogisticRegression(max_iter=1000).fit(x, y), x, zipmap=False), x, y
    one = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(x, y)
    yield "iris_one_vs_rest", sklearn_bytes(one, x, zipmap=False), x, y
    sgd = SGDClassifier(loss="log_loss", random_state=0).fit(x, y)
    yield "iris_sgd", sklearn_bytes(sgd, x, zipmap=False), x, y
    tree = DecisionTreeClassifier(random_state=0).fit(x, y)
    yield "iris_tree_text_labels", sklearn_bytes(tree, x), x, y
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    columns = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    yield "iris_separate_inputs", sklearn_columns(columns, names), x, y
    mixed = ColumnTransformer([("s", StandardScaler(), [0, 2]), ("m", MinMaxScaler(), [3, 1])])
    mixed = make_pipeline(mixed, LogisticRegression(max_iter=1000)).fit(x, y)
    yield "iris_column_transformer", sklearn_bytes(mixed, x, zipmap=False), x, y
    x, y = wine.x, wine.y
    for name, step in [("l1", Normalizer("l1")), ("l2", Normalizer("l2")), ("max", Normalizer("max")), ("robust", RobustScaler()), ("max_abs", MaxAbsScaler())]:
        yield f"wine_{name}", sklearn_bytes(make_pipeline(step, LogisticRegression(max_iter=3000)).fit(x, y), x, zipmap=False), x, y
    filled = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000)).fit(holes(x), y)
    yield "wine_imputer", sklearn_bytes(filled, x, zipmap=False), holes(x), y
    yield "wine_boosting", sklearn_bytes(GradientBoostingClassifier(n_estimators=20, random_state=0).fit(x, y), x, zipmap=False), x, y
    light = lightgbm.LGBMClassifier(n_estimators=30, verbose=-1, random_state=0).fit(holes(x), y)
    yield "wine_lightgbm_missing", lightgbm_bytes(light, x, zipmap=False), holes(x), y
    extreme = xgboost.XGBClassifier(n_estimators=30, max_depth=4, random_state=0, n_jobs=1).fit(holes(x), y)
    yield "wine_xgboost_missing", xgboost_bytes(extreme, x), holes(x), y
    x, y = digits.x, digits.y
    forest = RandomForestClassifier(n_estimators=30, max_depth=8, random_state=0).fit(x, y)
    yield "digits_forest", sklearn_bytes(forest, x, zipmap=False), x, y
    extra = ExtraTreesClassifier(n_estimators=30, max_depth=8, random_state=0).fit(x, y)
    yield "digits_extra_trees", sklearn_bytes(extra, x), x, y
    x, y = cancer.x, cancer.y
    light = lightgbm.LGBMClassifier(n_estimators=60, verbose=-1, random_state=0).fit(holes(x), y)
    yield "cancer_lightgbm_missing", lightgbm_bytes(light, x), holes(x), y
    light = lightgbm.LGBMClassifier(n_estimators=30, verbose=-1, random_state=0, boosting_type="rf", bagging_freq=1, bagging_fraction=0.7).fit(x, y)
    yield "cancer_lightgbm_rf", lightgbm_bytes(light, x, zipmap=False), x, y
    histogram = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(holes(x), y)
    yield "cancer_histogram_boosting", sklearn_bytes(histogram, x, zipmap=False), holes(x), y
    extreme = xgboost.XGBClassifier(n_estimators=60, max_depth=4, random_state=0, n_jobs=1, base_score=0.3).fit(holes(x), y)
    yield "cancer_xgboost_missing", xgboost_bytes(extreme, x), holes(x), y
    kinds = categories()
    light = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, random_state=0).fit(kinds[0], kinds[1], categorical_feature=[0])
    yield "lightgbm_categories", lightgbm_bytes(light, kinds[0], zipmap=False), kinds[0], kinds[1]


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
        yield f"diabetes_{name}", sklearn_bytes(model.fit(x, y), x), x, None
    two = RandomForestRegressor(n_estimators=10, max_depth=5, random_state=0).fit(x, np.column_stack([y, -y]))
    yield "diabetes_forest_two_targets", sklearn_bytes(two, x), x, None
    light = lightgbm.LGBMRegressor(n_estimators=60, verbose=-1, random_state=0).fit(holes(x), y)
    yield "diabetes_lightgbm_missing", lightgbm_bytes(light, x), holes(x), None
    counts = lightgbm.LGBMRegressor(n_estimators=30, objective="poisson", verbose=-1, random_state=0).fit(x, y)
    yield "diabetes_lightgbm_poisson", lightgbm_bytes(counts, x), x, None
    histogram = HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(holes(x), y)
    yield "diabetes_histogram_boosting", sklearn_bytes(histogram, x), holes(x), None
    extreme = xgboost.XGBRegressor(n_estimators=60, max_depth=5, random_state=0, n_jobs=1).fit(holes(x), y)
    yield "diabetes_xgboost_missing", xgboost_bytes(extreme, x), holes(x), None


TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


def more(cancer, flowers):
    """Inputs of other types, encoders, networks, models made of models."""
    x, y = flowers.x, flowers.y
    network = make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=400, random_state=0)).fit(x, y)
    yield "iris_network", sklearn_bytes(network, x, zipmap=False), x, y
    vote = VotingClassifier([("a", LogisticRegression(max_iter=1000)), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft", flatten_transform=False).fit(x, y)
    yield "iris_vote", sklearn_bytes(vote, x, zipmap=False), x, y
    calibrated = CalibratedClassifierCV(LogisticRegression(max_iter=1000), cv=3).fit(x, y)
    yield "iris_calibrated", sklearn_bytes(calibrated, x, zipmap=False), x, y
    x, y = cancer.x, cancer.y
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    yield "cancer_doubles", sklearn_bytes(linear, x, DoubleTensorType, zipmap=False), x, y
    forest = RandomForestClassifier(n_estimators=10, max_depth=6, random_state=0).fit(x, y)
    yield "cancer_forest_doubles", sklearn_bytes(forest, x, DoubleTensorType, zipmap=False), x, y
    x, y = categories()
    encoded = ColumnTransformer([("k", OneHotEncoder(handle_unknown="ignore"), [0]), ("b", Binarizer(threshold=0.2), [1]), ("x", "passthrough", [2])])
    encoded = make_pipeline(encoded, LogisticRegression(max_iter=1000)).fit(x, y)
    shape = [("kind", Int64TensorType([None, 1])), ("a", FloatTensorType([None, 1])), ("b", FloatTensorType([None, 1]))]
    yield "one_hot_and_numbers", to_onnx(encoded, initial_types=shape, options={id(encoded): {"zipmap": False}}, target_opset=OPSETS).SerializeToString(), x, y


MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def random_tree(random, tree, depth, columns, modes, nodes):
    """Adds a random tree's nodes; gives the numbers of its leaves."""
    leaves, open_ends, count = [], [(0, 0)], 1
    while open_ends:
        node, level = open_ends.pop(0)
        is_leaf = level == depth or (level > 0 and random.rand() < 0.2)
        when_true, when_false = (0, 0) if is_leaf else (count, count + 1)
        if is_leaf:
            leaves.append(node)
        else:
            open_ends += [(when_true, level + 1), (when_false, level + 1)]
            count += 2
        for name, value in [
            ("treeids", tree),
            ("nodeids", node),
            ("featureids", 0 if is_leaf else random.randint(columns)),
            # Values that the inputs hit exactly, too.
            ("values", 0.0 if is_leaf else float(random.randint(-6, 7)) / 2),
            ("modes", "LEAF" if is_leaf else modes[random.randint(len(modes))]),
            ("truenodeids", when_true),
            ("falsenodeids", when_false),
            ("missing_value_tracks_true", 0 if is_leaf else random.randint(2)),
        ]:
            nodes[name].append(value)
    return leaves


def random_ensembles(count=72):
    """Trees that no library would grow: every mode, every transform, base values, several targets, values that are hit."""
    for seed in range(count):
        random = np.random.RandomState(seed)
        columns, trees = random.randint(1, 6), random.randint(1, 20)
        is_classifier = seed % 3 != 0
        classes = 2 + (seed % 2) * 2 if is_classifier else 1 + (seed % 4 == 0)
        modes = [MODES[random.randint(6)]] if seed % 5 else MODES
        nodes = {name: [] for name in ["treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true"]}
        weights = []
        only = [0] if is_classifier and classes == 2 and seed % 4 < 2 else list(range(classes))
        for tree in range(trees):
            for leaf in random_tree(random, tree, random.randint(1, 6), columns, modes, nodes):
                weights += [(tree, leaf, target, float(random.rand() - (0.5 if seed % 3 == 1 else 0.0)) / trees) for target in only]
        transform = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"][random.randint(4)] if is_classifier else "NONE"
        base = [] if seed % 2 == 0 or len(only) != classes else [float(value) for value in random.randn(classes) / 4]
        if only == [0] and classes == 2 and seed % 7 == 0:
            base = [0.1]
        yield f"random_{seed:02}", random_model(nodes, weights, classes, columns, transform, base, is_classifier), random_rows(random, columns), list(range(classes)) if is_classifier else None


def random_rows(random, columns):
    x = random.randint(-8, 9, (ROWS, columns)).astype(np.float32) / 2
    x[random.rand(*x.shape) < 0.1] = np.nan
    return x


def random_model(nodes, weights, classes, columns, transform, base, is_classifier):
    prefix = "class" if is_classifier else "target"
    attributes = {f"nodes_{name}": values for name, values in nodes.items()}
    for at, name in enumerate(["treeids", "nodeids", "ids", "weights"]):
        attributes[f"{prefix}_{name}"] = [weight[at] for weight in weights]
    if base:
        attributes["base_values"] = base
    attributes |= {"classlabels_int64s": list(range(classes))} if is_classifier else {"n_targets": classes}
    op, outputs = ("TreeEnsembleClassifier", ["label", "scores"]) if is_classifier else ("TreeEnsembleRegressor", ["scores"])
    node = onnx.helper.make_node(op, ["x"], outputs, domain="ai.onnx.ml", post_transform=transform, **attributes)
    ends = [onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [None, classes])]
    if is_classifier:
        ends.insert(0, onnx.helper.make_tensor_value_info("label", onnx.TensorProto.INT64, [None]))
    start = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, columns])
    graph = onnx.helper.make_graph([node], "random", [start], ends)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8)
    return model.SerializeToString()


def expected(model, x):
    """What onnxruntime gives: the probabilities or values of each row."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()
    types = [TYPES[one.type] for one in given]
    if len(given) == 1:
        feeds = {given[0].name: x.astype(types[0])}
    else:
        feeds = {one.name: x[:, [at]].astype(types[at]) for at, one in enumerate(given)}
    scores = session.run(None, feeds)[-1]
    if isinstance(scores, list):
        labels = list(scores[0])
        scores = np.array([[row[label] for label in labels] for row in scores], dtype=np.float32)
    return np.asarray(scores, dtype=np.float32).reshape(len(x), -1)


def write(folder, name, model, x, labels, rows):
    # Rows from everywhere: some sets are sorted by label.
    count = min(rows, len(x))
    x = np.ascontiguousarray(x[[nth * len(x) // count for nth in range(count)]], dtype=np.float32)
    scores = expected(model, x)
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.onnx").write_bytes(model)
    (place / "inputs.f32").write_bytes(x.tobytes())
    (place / "expected.f32").write_bytes(scores.tobytes())
    shape = [f"{len(x)} {x.shape[1]} {scores.shape[1]}", *(str(label) for label in labels)]
    (place / "shape.txt").write_text("\n".join(shape) + "\n")
    nodes = " ".join(node.op_type for node in onnx.load_from_string(model).graph.node)
    print(f"{name}: {len(model)} B, {scores.shape[1]} outputs, {nodes}")


def main():
    folder, only, rows = pathlib.Path(sys.argv[1]), sys.argv[2:], ROWS
    if only == ["--fixtures"]:
        only, rows = FIXTURES, 24
    warnings.filterwarnings("ignore")
    cancer, wine, digits = Data(datasets.load_breast_cancer), Data(datasets.load_wine), Data(datasets.load_digits)
    flowers = Data(datasets.load_iris, ["setosa", "versicolor", "virginica"])
    groups = [
        nine(cancer),
        classifiers(cancer, flowers, wine, digits),
        more(cancer, flowers),
        regressors(Data(datasets.load_diabetes)),
        random_ensembles(),
    ]
    for group in groups:
        for name, model, x, y in group:
            if not only or name in only:
                write(folder, name, model, x, [] if y is None else np.unique(y), rows)


if __name__ == "__main__":
    main()
