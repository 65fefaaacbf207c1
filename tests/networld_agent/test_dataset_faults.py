"""Damaged, forged and foreign data: every fault is one sentence with its place."""

import json
import os

import numpy as np
import pytest
from dataset_cases import change_metadata, copy_of, overwrite, sealed, small_dataset
from hypothesis import given
from hypothesis import strategies as st

from networld_agent.data import DatasetError, TrajectoryDataset
from networld_agent.data.files import ArrayFiles
from networld_agent.data.layout import ArrayLayout, header_bytes, map_array, read_header
from networld_agent.data.windows import WindowSource

NAN = np.float32(np.nan).tobytes()


@pytest.fixture
def damaged(tmp_path):
    return copy_of(small_dataset("rb-v0"), tmp_path)


def offset_of(folder, name, *index):
    array = np.load(folder / f"{name}.npy", mmap_mode="r")
    place = np.ravel_multi_index(index, array.shape) * array.itemsize
    return os.path.getsize(folder / f"{name}.npy") - array.nbytes + int(place)


def fault(folder, verify="quick"):
    with pytest.raises(DatasetError) as found:
        TrajectoryDataset.open(folder, verify=verify)
    message = str(found.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


# -------------------------------------------------------------------------------- values
def test_a_flipped_byte_is_found_with_file_and_episode(damaged):
    place = offset_of(damaged, "observations", 3, 1, 7, 2)
    byte = (damaged / "observations.npy").read_bytes()[place + 2]
    overwrite(damaged / "observations.npy", place + 2, bytes([byte ^ 1]))
    assert "observations.npy: the checksum of episode 3 (bytes" in fault(damaged, "full")


@pytest.mark.parametrize("verify", ["quick", "full"])
def test_a_nan_is_found_with_file_field_and_place(damaged, verify):
    overwrite(damaged / "observations.npy", offset_of(damaged, "observations", 4, 2, 9, 1), NAN)
    expected = (
        "observations.npy: the value at episode 4, agent node_2, step 9, field 'queue' is nan."
    )
    assert fault(damaged, verify) == expected


def test_a_nan_in_the_middle_is_found_by_full_verification(damaged):
    overwrite(damaged / "metrics.npy", offset_of(damaged, "metrics", 2, 3, 5, 1), NAN)
    TrajectoryDataset.open(damaged, verify="quick")
    expected = "metrics.npy: the value at episode 2, agent node_3, step 5, field 'waited' is nan."
    assert fault(damaged, "full") == expected
    assert fault(damaged, "once") == expected


def test_an_illegal_action_is_found(damaged):
    place = offset_of(damaged, "actions", 0, 1, 2)
    overwrite(damaged / "actions.npy", place, np.int32(11).tobytes())
    expected = (
        "actions.npy: the value at episode 0, agent node_1, step 2, field 'requested' is 11, "
        "outside 0 to 10."
    )
    assert fault(damaged) == expected


# --------------------------------------------------------------------------------- files
def test_a_truncated_file_is_found_with_the_episode(damaged):
    path = damaged / "rewards.npy"
    os.truncate(path, offset_of(damaged, "rewards", 2, 0, 0) + 5)
    message = fault(damaged)
    assert message.startswith("rewards.npy: has ")
    assert message.endswith("so that episode 2 is cut.")


def test_bytes_at_the_end_are_found(damaged):
    with (damaged / "rewards.npy").open("ab") as file:
        file.write(b"!")
    assert "rewards.npy: has 6529 bytes instead of 6528." in fault(damaged)


def test_a_missing_file_is_found(damaged):
    (damaged / "actions.npy").unlink()
    assert "actions.npy: the file is missing." in fault(damaged)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.zeros((5, 4, 40, 2)), "field 'shape' of the header is (5, 4, 40, 2), metadata.json"),
        (np.zeros((5, 4, 40), np.float32), "field 'descr' of the header is '<f4', metadata.json"),
        (np.zeros((5, 4, 40), np.complex64), "field 'descr' of the header is '<c8', must be one"),
        (np.asfortranarray(np.zeros((5, 4, 40))), "field 'fortran_order' of the header"),
    ],
)
def test_another_array_in_a_file_is_found(damaged, values, expected):
    np.save(damaged / "rewards.npy", values)
    assert f"rewards.npy: {expected}" in fault(damaged)


def test_pickles_are_never_read(damaged):
    class Bomb:
        def __reduce__(self):
            return os.system, ("touch /tmp/networld-pickle-was-executed",)

    np.save(damaged / "rewards.npy", np.array([Bomb()], object), allow_pickle=True)
    assert "rewards.npy: the header at byte 10 is not a plain array's." in fault(damaged)
    assert not os.path.exists("/tmp/networld-pickle-was-executed")


def test_a_newer_version_of_npy_is_refused(damaged):
    overwrite(damaged / "rewards.npy", 6, b"\x02")
    assert "rewards.npy: field 'magic' at byte 0" in fault(damaged)


# ------------------------------------------------------------------------------ metadata
CHANGES = [
    (lambda d: d.update(format="minari"), "key 'format' must be 'networld-trajectories'"),
    (lambda d: d.update(format_version=2), "key 'format_version' is 2; this package reads up to 1"),
    (lambda d: d.pop("seeds"), "key 'seeds' is missing"),
    (lambda d: d["seeds"].pop(), "must be a list of 4 entries, got '5 entries'"),
    (lambda d: d["seeds"].__setitem__(1, 0), "key 'seeds' must be a list of different entries"),
    (lambda d: d["seeds"].__setitem__(1, "x"), "key 'seeds[1]' must be an integer"),
    (lambda d: d.update(steps=True), "key 'steps' must be an integer"),
    (lambda d: d.update(steps=39), "key 'arrays.observations.shape' must be [5, 4, 40, 4]"),
    (lambda d: d.update(epsilon=1.5), "key 'epsilon' must be a finite number between 0 and 1"),
    (lambda d: d["adjacency"][0].__setitem__(0, 1), "key 'adjacency[0][0]' must be 0, got 1"),
    (lambda d: d["adjacency"][2].pop(), "key 'adjacency[2]' must be a list of 4 entries"),
    (lambda d: d["adjacency"][1].__setitem__(0, 2), "key 'adjacency[1][0]' must be an integer"),
    (lambda d: d["action"].pop("sizes"), "key 'action.sizes' is missing"),
    (lambda d: d["action"].update(kind="graph"), "key 'action.kind' must be discrete"),
    (lambda d: d["observation"]["units"].pop(), "key 'observation.units' must be a list of 4"),
    (lambda d: d["forms"].update(evil={}), "key 'forms.evil' must be one of"),
    (lambda d: d["arrays"].pop("rewards"), "key 'arrays.rewards' is missing"),
    (lambda d: d["arrays"].update(x={}), "key 'arrays.x' is no array of this data set"),
    (
        lambda d: d["arrays"]["rewards"].update(file="/etc/passwd"),
        "key 'arrays.rewards.file' must be 'rewards.npy', got '/etc/passwd'",
    ),
    (
        lambda d: d["arrays"]["rewards"].update(sha256="0" * 63),
        "key 'arrays.rewards.sha256' must be 64 hexadecimal digits",
    ),
    (
        lambda d: d["arrays"]["rewards"]["episode_crc32"].pop(),
        "key 'arrays.rewards.episode_crc32' must be a list of 5 entries",
    ),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES, ids=range(len(CHANGES)))
def test_wrong_metadata_names_the_key(damaged, change, expected):
    change_metadata(damaged, change)
    message = fault(damaged)
    assert message.startswith("metadata.json: ")
    assert expected in message


def test_a_changed_seed_does_not_go_unnoticed(damaged):
    path = damaged / "metadata.json"
    document = json.loads(path.read_text())
    document["seeds"][4] = 77
    path.write_text(json.dumps(document))
    assert "key 'metadata_sha256' does not fit the contents" in fault(damaged)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not valid JSON"),
        ("[1]", "must hold an object"),
        ('{"format": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"seeds": [' + "9" * 5000 + "]}", "is not valid JSON"),
        ("\udcff", "is not valid JSON"),
    ],
)
def test_what_is_no_metadata_is_refused(damaged, text, expected):
    (damaged / "metadata.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert expected in fault(damaged)


def test_a_folder_without_metadata_is_no_data_set(tmp_path):
    assert "metadata.json: the file is missing: this is no data set." in fault(tmp_path)


def test_checksums_of_the_header_are_verified(damaged):
    def forge(document):
        document["arrays"]["rewards"]["sha256"] = "0" * 64

    change_metadata(damaged, forge)
    TrajectoryDataset.open(damaged, verify="quick")
    assert "rewards.npy: the checksum of the file does not fit" in fault(damaged, "full")


# ------------------------------------------------------------------------------- fuzzing
@pytest.fixture(scope="module")
def header_file(tmp_path_factory):
    return tmp_path_factory.mktemp("headers") / "x.npy"


@given(st.binary(max_size=300))
def test_any_bytes_are_an_array_or_a_sentence(header_file, data):
    header_file.write_bytes(data)
    with pytest.raises(DatasetError, match=r"x\.npy: .*\.$"):
        map_array(header_file, ArrayLayout("<f4", (2, 3)))


@given(st.text(max_size=200))
def test_any_text_in_a_header_is_an_array_or_a_sentence(header_file, text):
    body = text.encode("utf-8", "replace")
    data = b"\x93NUMPY\x01\x00" + (len(body) % 65536).to_bytes(2, "little") + body + bytes(24)
    header_file.write_bytes(data)
    with pytest.raises(DatasetError):
        map_array(header_file, ArrayLayout("<f4", (2, 3)))


@given(
    st.integers(0, 127),
    st.binary(min_size=1, max_size=8),
)
def test_a_header_with_changed_bytes_never_gives_another_array(header_file, place, change):
    layout = ArrayLayout("<f4", (2, 3))
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    data = bytearray(layout.header + values.tobytes())
    data[place : place + len(change)] = change
    data = data[: layout.file_bytes]
    header_file.write_bytes(bytes(data))
    try:
        array = map_array(header_file, layout)
    except DatasetError:
        return
    assert array.shape == (2, 3)
    assert array.dtype == np.float32


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=5))
def test_headers_are_those_that_numpy_writes_and_reads(header_file, shape):
    header_file.write_bytes(header_bytes("<f4", tuple(shape)))
    assert read_header(header_file)[:2] == ("<f4", tuple(shape))
    with header_file.open("rb") as file:
        np.lib.format.read_magic(file)
        assert np.lib.format.read_array_header_1_0(file) == (tuple(shape), False, np.float32)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20),
    st.just(2**70), st.just(-1), st.just([]), st.just({}),
)  # fmt: skip
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=6)


def paths(value, prefix=()):
    """Every place of a JSON document."""
    found = [prefix] if prefix else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in items:
        inner = isinstance(entry, (dict, list))
        found += paths(entry, (*prefix, key)) if inner else [(*prefix, key)]
    return found


@pytest.mark.parametrize("made", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_written_into(made, tmp_path):
    layouts = {"a": ArrayLayout("<f4", (2, 3)), "b": ArrayLayout("<f4", (2, 3))}
    ArrayFiles.create(tmp_path, layouts)
    (tmp_path / "b.npy").unlink()
    made(tmp_path / "b.npy")
    for call in (ArrayFiles, ArrayFiles.create):
        with pytest.raises(OSError, match=r"no regular file.*b\.npy"):
            call(tmp_path, layouts)


@pytest.fixture(scope="module")
def forged(tmp_path_factory):
    folder = copy_of(small_dataset("rb-v0"), tmp_path_factory.mktemp("forged"))
    document = json.loads((folder / "metadata.json").read_text())
    return folder, document, paths(document)


@given(data=st.data())
def test_forged_metadata_opens_or_names_the_fault(forged, data):
    folder, document, places = forged
    place, value = data.draw(st.sampled_from(places)), data.draw(VALUES)
    changed = json.loads(json.dumps(document))
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    try:
        text = json.dumps(sealed(changed))
    except ValueError:  # infinity: no checksum fits it
        text = json.dumps(changed)
    (folder / "metadata.json").write_text(text)
    try:
        dataset = TrajectoryDataset.open(folder)
    except DatasetError as error:
        sentence = str(error)
    else:
        sentence = ""
        assert dataset.observations.shape == (5, 4, 41, 4)
        WindowSource(dataset).draw(4, 8, seed=0)
    assert "\n" not in sentence
