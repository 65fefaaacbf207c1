"""Sites and users of one's own: any layout, checked, with graph, experts and pictures."""

import dataclasses
import json

import numpy as np
import pytest
from own_networks import SITES, play, write_csv

from wirelessenvs import make_simulator
from wirelessenvs.cells import own_cells
from wirelessenvs.rendering import Renderer
from wirelessenvs.tasks import get_task, make_policy
from wirelessenvs.topology import gabriel_graph, hexagonal_grid, voronoi_outlines

CBF = {"sites": SITES, "num_interferers": 3}
SLICING = {"preset": "small", "num_users": 60, "slots_per_window": 60, "sites": SITES}
OWN = [("cbf-v0", CBF), ("cbf-v0", CBF | {"layout_seed": None}), ("slicing-v0", SLICING)]


@pytest.mark.parametrize("rings", [1, 2, 4])
def test_a_hexagonal_grid_of_ones_own_is_the_built_in_network(rings):
    grid = hexagonal_grid(rings, 400.0)
    built_in = make_simulator("cbf-v0", num_cells=len(grid))
    own = make_simulator("cbf-v0", sites=grid)
    assert own.graph == built_in.graph
    for one, other in zip(play(built_in), play(own), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_neighbours_have_no_third_between_them():
    line = np.array([[0.0, 0], [5, 0], [11, 0]])
    assert gabriel_graph(line).astype(int).tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    square = np.stack(np.mgrid[:3, :3], -1).reshape(-1, 2) * 100.0
    assert gabriel_graph(square).sum(1).tolist() == [2, 3, 2, 3, 4, 3, 2, 3, 2]
    rng = np.random.default_rng(0)
    points = rng.random((30, 2))
    expected = np.zeros((30, 30), bool)
    for i, j in np.ndindex(30, 30):
        centre, radius = (points[i] + points[j]) / 2, np.hypot(*(points[i] - points[j])) / 2
        others = np.delete(points, [i, j], axis=0)
        expected[i, j] = i != j and (np.hypot(*(others - centre).T) > radius).all()
    np.testing.assert_array_equal(gabriel_graph(points), expected)


def test_outlines_hold_what_is_nearest_within_reach():
    rng = np.random.default_rng(3)
    points, reach = rng.random((12, 2)) * 1000, np.full(12, 150.0)
    outlines = voronoi_outlines(points, reach)
    for point, outline in zip(points, outlines, strict=True):
        # On the border, the own site is as near as any, and no farther than the reach.
        own = np.hypot(*(outline - point).T)
        nearest = np.hypot(*(outline[:, None] - points).transpose(2, 0, 1)).min(1)
        np.testing.assert_allclose(own, nearest, atol=1e-6)
        assert own.max() <= 150 + 1e-9


def test_cells_reach_half_way_to_the_nearest_site():
    assert own_cells(((0.0, 0.0), (100.0, 0.0), (500.0, 0.0)), 120.0).radii_m.tolist() == [
        50.0,
        50.0,
        120.0,
    ]
    simulator = make_simulator("cbf-v0", 20, **CBF, layout_seed=None)
    simulator.reset(0)
    away = np.hypot(*(simulator.ue_positions - SITES).transpose(2, 0, 1))
    assert (away <= simulator.config.cells.radii_m).all()
    assert (away >= simulator.config.min_distance_m - 1e-6).all()


@pytest.mark.parametrize(("task_id", "arguments"), OWN)
def test_a_batch_equals_its_single_environments(task_id, arguments):
    batch = play(make_simulator(task_id, 3, **arguments), seed=7)
    for env in range(3):
        single = play(make_simulator(task_id, 1, **arguments), seed=7 + env)
        for one, other in zip(batch, single, strict=True):
            np.testing.assert_array_equal(one[env], other[0])


@pytest.mark.parametrize(("task_id", "arguments"), OWN)
def test_files_arrays_and_lists_are_one_configuration(task_id, arguments, tmp_path):
    other = {key: value for key, value in arguments.items() if key != "sites"}
    plain = write_csv(tmp_path / "sites.csv", SITES)
    named = write_csv(tmp_path / "named.csv", SITES, "# of a city\nx,y")
    np.save(tmp_path / "sites.npy", SITES)
    given = [SITES, SITES.tolist(), plain, named, str(tmp_path / "sites.npy"), Frame(SITES)]
    configs = [make_simulator(task_id, sites=sites, **other).config for sites in given]
    assert len(set(configs)) == 1
    text = json.dumps(dataclasses.asdict(configs[0]))
    assert json.loads(text)["sites"] == SITES.tolist()
    assert configs[0].num_cells == 5


class Frame:
    """What a data frame of pandas offers NumPy."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)


def test_a_data_frame_of_pandas_is_a_table():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(SITES, columns=["x", "y"])
    config = make_simulator("cbf-v0", **CBF | {"sites": frame}).config
    assert config == make_simulator("cbf-v0", **CBF).config


@pytest.mark.parametrize(("task_id", "arguments"), OWN)
@pytest.mark.parametrize("policy", ["random", "expert"])
def test_policies_play_and_pictures_show_the_sites(task_id, arguments, policy, monkeypatch):
    pytest.importorskip("matplotlib")
    simulator = make_simulator(task_id, 1, **arguments)
    rule = make_policy(policy, simulator)
    observations = simulator.reset(0)
    for _ in range(2):
        step = simulator.step(rule(observations, simulator.privileged(rule.information)))
        observations = step.observations
    assert np.isfinite(step.rewards).all()
    renderer = Renderer(get_task(task_id).draw)
    frame = renderer.frame(simulator)
    axes = renderer._figure.axes[0]
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    assert x0 < SITES[:, 0].min() < SITES[:, 0].max() < x1
    assert y0 < SITES[:, 1].min() < SITES[:, 1].max() < y1
    assert frame.std() > 10


def test_the_expert_is_ahead_of_random_beams():
    rates = {}
    for policy in ("random", "expert"):
        simulator = make_simulator("cbf-v0", 8, **CBF, layout_seed=None)
        rule = make_policy(policy, simulator)
        observations, total = simulator.reset(0), 0.0
        for _ in range(5):
            step = simulator.step(rule(observations, simulator.privileged(rule.information)))
            observations, total = step.observations, total + step.metrics["rate"].mean()
        rates[policy] = total / 5
    assert rates["expert"] > 1.5 * rates["random"]


def test_users_stand_where_they_are_said_to():
    users = SITES + np.array([30.0, -20.0])
    shuffled = users[[3, 1, 4, 0, 2]]
    for given in (users, shuffled, np.column_stack([shuffled, [3, 1, 4, 0, 2]])):
        simulator = make_simulator("cbf-v0", 2, **CBF, users=given, layout_seed=None)
        simulator.reset(0)
        np.testing.assert_array_equal(simulator.ue_positions, [users, users])
    swapped = np.column_stack([users, [1, 0, 2, 3, 4]])
    simulator = make_simulator("cbf-v0", 1, **CBF, users=swapped)
    np.testing.assert_array_equal(simulator.ue_positions[0, :2], users[[1, 0]])
    # Its own path loss: 120.9 + 37.6 log10(d / km) without shadowing.
    plain = make_simulator("cbf-v0", 1, **CBF, users=users, shadowing_db=0.0)
    power = (plain._factors[0] ** 2).sum((0, 1, 2)).reshape(5, 5)
    expected = 10 ** (-(120.9 + 37.6 * np.log10(np.hypot(30, 20) / 1000)) / 10)
    np.testing.assert_allclose(np.diag(power) * 2 / 4, expected, rtol=1e-6)


def test_of_several_users_every_layout_draws_one_per_cell():
    pools = np.concatenate([SITES + np.array([20.0 * (k + 1), 0]) for k in range(3)])
    simulator = make_simulator("cbf-v0", 600, **CBF, users=pools, layout_seed=None)
    simulator.reset(0)
    which = (simulator.ue_positions[..., 0] - SITES[:, 0]) / 20
    share = (which[..., None] == [1, 2, 3]).mean(0)
    np.testing.assert_allclose(share, 1 / 3, atol=4 * np.sqrt(2 / 9 / 600))


def test_slicing_serves_users_by_the_nearest_site():
    simulator = make_simulator("slicing-v0", 1, **SLICING)
    simulator.reset(0)
    places = simulator.positions[0] + simulator.centre
    distance = np.hypot(*(places[:, None] - SITES).transpose(2, 0, 1))
    np.testing.assert_array_equal(simulator.cells[0], distance.argmin(1))
    margin = simulator.config.cell_radius_m
    assert (places >= SITES.min(0) - margin).all()
    assert (places <= SITES.max(0) + margin).all()


def test_slicing_begins_where_its_users_are_said_to_be(tmp_path):
    users = np.random.default_rng(2).uniform(SITES.min(0), SITES.max(0), (40, 2)).round(3)
    given = SLICING | {"speeds_mps": (0, 0, 0)}
    standing = make_simulator("slicing-v0", 2, **given, users=users)
    assert standing.config.num_users == 40
    standing.reset(1)
    np.testing.assert_allclose(standing.positions + standing.centre, [users, users], atol=1e-9)
    nearest = np.hypot(*(users[:, None] - SITES).transpose(2, 0, 1)).argmin(1)
    np.testing.assert_array_equal(standing.cells, [nearest, nearest])
    path = write_csv(tmp_path / "users.csv", users, "x,y")
    assert make_simulator("slicing-v0", **given, users=path).config == standing.config
    # They walk from there, at most at the speed of their class.
    walking = make_simulator("slicing-v0", 1, **SLICING, users=users, history=1)
    walking.reset(1)
    config = walking.config
    reach_m = max(config.speeds_mps) * config.slots_per_window * config.slot_s
    moved = np.hypot(*(walking.positions[0] + walking.centre - users).T)
    assert 0 < moved.max() <= reach_m + 1e-9


@pytest.mark.parametrize(
    ("users", "sentence"),
    [
        (SITES[:, :1], r"users must have a row for each user, .* got shape \(5, 1\)"),
        (
            SITES + np.array([0, 1e4]),
            r"users must lie within x .* metres .*, got user 0 at",
        ),
        (np.where(np.arange(5)[:, None] == 2, np.nan, SITES), r"users must have no gaps: row 2"),
        (np.zeros((0, 2)), r"users must have"),
        ("none.csv", r"users must name a file: 'none.csv'"),
    ],
)
def test_bad_users_of_slicing_are_told_in_a_sentence(users, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        make_simulator("slicing-v0", **SLICING, users=users)
    assert str(caught.value).endswith(".")


BAD_SITES = [
    ([[0, 0]], ValueError, r"sites must have 2 to 1027 rows and 2 columns"),
    ([[0, 0, 0], [900, 0, 0]], ValueError, r"got shape \(2, 3\)"),
    ([[0, 0], [0, 0.5]], ValueError, r"at least 1 m apart, got sites 0 and 1 at 0.5 m"),
    ([[0, 0], [0, np.nan]], ValueError, r"no gaps: row 1, column 1"),
    ([[0, 0], [0, np.inf]], ValueError, r"sites must be finite"),
    ([[0, 0], [1e9, 0]], ValueError, r"sites must be metres between"),
    ([[0, 0], ["a", "b"]], TypeError, r"sites must be an array of numbers"),
    (3, ValueError, r"sites must have 2 dimension"),
    ("none.csv", ValueError, r"sites must name a file: 'none.csv' cannot be read \(No such"),
    ("a\0b", ValueError, r"sites must name a file"),
]


@pytest.mark.parametrize(("sites", "error", "sentence"), BAD_SITES)
@pytest.mark.parametrize("task_id", ["cbf-v0", "slicing-v0"])
def test_bad_sites_are_told_in_a_sentence(task_id, sites, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        make_simulator(task_id, sites=sites)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x,y\n1,2\n3,\n", r"no gaps: line 3, column 2 of .*sites.csv is empty"),
        ("x,y\n1,2\n3,nan\n", r"sites must hold numbers, got 'nan' in line 3, column 2"),
        ("1,2\n3\n", r"2 columns in every line, got 1 in line 2"),
        ("1,2\n3,a\n", r"got 'a' in line 2, column 2"),
        ("x,y\n", r"at least one line of numbers"),
        ("\xff\xfe\x00", r"."),
    ],
)
def test_bad_files_are_told_with_their_line(text, sentence, tmp_path):
    path = tmp_path / "sites.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=sentence) as caught:
        make_simulator("cbf-v0", sites=str(path))
    assert "sites" in str(caught.value)
    assert str(caught.value).endswith(".")


def test_sites_too_near_for_the_least_distance_are_told():
    with pytest.raises(ValueError, match=r"at least 2 min_distance_m = 20 m apart, got 12 m\.$"):
        make_simulator("cbf-v0", sites=[[0, 0], [12, 0], [500, 0]], num_interferers=1)


@pytest.mark.parametrize(
    ("users", "sentence"),
    [
        (SITES[:3], r"users must have a row for each of the 5 cells"),
        (SITES + 1e5, r"users must lie within x .*, got user 0 at"),
        (SITES, r"at least 1 m from every site, got user 0 at 0 m from site 0"),
        (np.tile(SITES[:1] + 5, (5, 1)), r"got none of cell 1 as their nearest site"),
        (np.column_stack([SITES + 9, [0, 1, 2, 3, 3]]), r"none of cell 4 as their third column"),
        (np.column_stack([SITES + 9, [0, 1, 2, 3, 5]]), r"cells 0 to 4, got 5 for user 4"),
    ],
)
def test_bad_users_are_told_in_a_sentence(users, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        make_simulator("cbf-v0", **CBF, users=users)
    assert str(caught.value).endswith(".")


def masked(table):
    return np.ma.masked_equal(table, table[1, 1])


NO_NUMBERS = [
    (SITES + 1j, "sites must be an array of numbers, got an array of complex128"),
    (SITES.astype(str), "sites must be an array of numbers, got an array of <U"),
    (SITES.astype("datetime64[s]"), "sites must be an array of numbers, got an array of datetime"),
    (masked(SITES), "sites must have no masked entries"),
    ([["0", 0], [500, 0]], r"sites must be an array of numbers, got \[\['0'"),
    ([[0, 0], [np.inf, 0]], "sites must be finite in every entry, got inf in row 1, column 0"),
    ([[0, 0], [None, 0]], "sites must have no gaps: row 1, column 0"),
]


@pytest.mark.parametrize(("sites", "sentence"), NO_NUMBERS)
def test_what_holds_no_numbers_is_told(sites, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        make_simulator("cbf-v0", sites=sites, num_interferers=1)


def test_columns_of_unlike_types_and_large_integers_are_numbers():
    table = np.array([[0, 10**7], [500, np.float32(3)]], object)
    assert make_simulator("cbf-v0", sites=table, num_interferers=1).config.sites[1] == (500.0, 3.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0,1\n0,0\n500,0\n", r"must not begin with the numbers of its columns, got 0,1 in line 1"),
        ("x,y\n0,0\n5_00,0\n", r"must hold numbers, got '5_00' in line 3, column 1"),
    ],
)
def test_lines_that_python_would_misread_are_told(text, sentence, tmp_path):
    (tmp_path / "sites.csv").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        make_simulator("cbf-v0", sites=tmp_path / "sites.csv", num_interferers=1)
    (tmp_path / "sites.csv").write_text("x,y\n0,1\n500,0\n")
    config = make_simulator("cbf-v0", sites=tmp_path / "sites.csv", num_interferers=1).config
    assert config.sites == ((0.0, 1.0), (500.0, 0.0))


@pytest.mark.parametrize("kind", ["Int64", "Float64", "boolean"])
def test_a_gap_of_a_nullable_column_is_told_with_its_place(kind):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [0, 1, 1], "y": [1, 0, 1]}).astype(kind)
    frame.loc[2, "y"] = pandas.NA
    with pytest.raises(
        ValueError, match=r"sites must have no gaps: row 2, column 1 \(counted"
    ) as told:
        make_simulator("cbf-v0", sites=frame)
    assert "\n" not in str(told.value)


def test_a_data_frame_is_never_shown_whole():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"site": ["a", "b"], "x": [1, 2]})
    with pytest.raises(
        TypeError, match=r"sites must be an array of numbers, got a DataFrame of shape"
    ):
        make_simulator("cbf-v0", sites=frame)
    with pytest.raises(
        TypeError, match=r"max_steps must be an integer, got a Series of shape \(2,\)"
    ):
        make_simulator("cbf-v0", max_steps=frame["x"])
