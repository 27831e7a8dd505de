"""Tables, arrays and models of packages that may be absent: whole and faithful, or refused."""

from __future__ import annotations

import csv
import io
import json

import pytest

from dify_notebook.app.template import TemplateError, expand


def test_pandas_tables_are_csv_in_full() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "name": ['a,"b"', None],
            "n": [1, 2],
            "x": [0.1, float("nan")],
            "day": pd.to_datetime(["2026-01-02", None]),
            "list": [[1, 2], {"k": "ü"}],
        }
    )
    rows = list(csv.reader(io.StringIO(expand("{{ frame }}", {"frame": frame}))))
    assert rows == [
        ["name", "n", "x", "day", "list"],
        ['a,"b"', "1", "0.1", "2026-01-02T00:00:00", "[1, 2]"],
        ["", "2", "", "", '{"k": "ü"}'],
    ]
    assert expand("{{ s }}", {"s": pd.Series([1.5, 2.0], index=["u", "v"], name="q")}) == ",q\nu,1.5\nv,2.0\n"
    assert expand("{{ frame.n }}", {"frame": frame}) == "n\n1\n2\n"
    many = pd.DataFrame({"a": range(3000)})
    assert expand("{{ many }}", {"many": many}).count("\n") == 3001
    indexed = frame[["n"]].set_index(pd.MultiIndex.from_tuples([("u", 1), ("v", 2)], names=["g", "i"]))
    assert expand("{{ indexed }}", {"indexed": indexed}) == "g,i,n\nu,1,1\nv,2,2\n"
    wide = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    assert expand("{{ wide }}", {"wide": wide}) == "a.x,a.y\n1,2\n"


def test_pandas_refusals() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(TemplateError, match=r"frame.*too long.*1,000,000 × 1"):
        expand("{{ frame }}", {"frame": pd.DataFrame({"a": range(10**6)})})
    for value in (pd.NA, pd.NaT):
        with pytest.raises(TemplateError, match="no value"):
            expand("{{ value }}", {"value": value})
    with pytest.raises(TemplateError, match=r"frame\[1\] is a object"):
        expand("{{ frame }}", {"frame": pd.DataFrame({"a": [1, object()]})})


def test_pandas_scalars() -> None:
    pd = pytest.importorskip("pandas")
    assert expand("{{ t }}", {"t": pd.Timestamp("2026-01-02 03:04")}) == "2026-01-02T03:04:00"
    assert expand("{{ t }}", {"t": pd.Timedelta("1h")}) == "PT3600S"
    assert expand("{{ t }}", {"t": pd.Index(["a", "b"])}) == '["a", "b"]'
    assert expand("{{ t }}", {"t": [pd.NA, pd.NaT, 1]}) == "[null, null, 1]"


def test_numpy() -> None:
    np = pytest.importorskip("numpy")
    names = {
        "i": np.int64(3),
        "f": np.float32(0.5),
        "b": np.bool_(True),
        "s": np.str_("x"),
        "a": np.arange(2000),
        "m": np.array([[1.0, np.nan]]),
        "zero": np.array(4),
        "day": np.datetime64("2026-01-02"),
        "keys": {np.int64(1): 2},
    }
    assert (
        expand("{{ i }} {{ f }} {{ b }} {{ s }} {{ zero }} {{ day }}", names) == "3 0.5 true x 4 2026-01-02"
    )
    assert "..." not in expand("{{ a }}", names)
    assert expand("{{ m }} {{ keys }}", names) == '[[1.0, null]] {"1": 2}'
    with pytest.raises(TemplateError, match="too long"):
        expand("{{ a }}", {"a": np.zeros((10**4, 10**4), dtype="int8")})


def test_scalars_are_what_they_say() -> None:
    """Each in the one form that the guide states, alone and in a list."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    values = [
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.float64(0.1), "0.1"),
        (np.float64("-0.0"), "-0.0"),
        (np.float64(1e22), "1e+22"),
        (np.False_, "false"),
        (10**40, "1" + "0" * 40),
        (np.datetime64("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05.123456789"),
        (pd.Timestamp("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05.123456789"),
        (pd.Timestamp("2026-01-02 03:04", tz="Asia/Tokyo"), "2026-01-02T03:04:00+09:00"),
        (pd.Period("2026-01"), "2026-01"),
    ]
    for value, text in values:
        assert expand("{{ v }}", {"v": value}) == text
        inside = json.loads(expand("{{ v }}", {"v": [value]}))[0]
        assert (inside if isinstance(inside, str) else json.dumps(inside)) == text
    for missing in (np.datetime64("NaT"), np.float64("nan"), np.timedelta64("NaT"), pd.NaT, pd.NA):
        with pytest.raises(TemplateError, match="v holds no value"):
            expand("{{ v }}", {"v": missing})
        assert expand("{{ v }}", {"v": [missing]}) == "[null]"
    for held in (np.array([np.nan]), np.array(["NaT"], dtype="M8[ns]"), pd.Index([np.nan]), pd.array([None], dtype="Int64")):
        assert expand("{{ v }}", {"v": held}) == "[null]"
    for bad in (np.float64("inf"), np.complex128(1j), np.bytes_(b"x")):
        with pytest.raises(TemplateError, match="v is"):
            expand("{{ v }}", {"v": bad})


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y,z"]})
    assert expand("{{ frame }}", {"frame": frame}) == 'a,b\n1,x\n,"y,z"\n'
    assert expand("{{ s }}", {"s": pl.Series("q", [1, 2])}) == "q\n1\n2\n"


def test_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", name=(str, ...), key=(pydantic.SecretStr | None, None))
    assert expand("{{ m }}", {"m": model(name="n")}) == '{"name": "n", "key": null}'
    with pytest.raises(TemplateError, match="SecretStr"):
        expand("{{ m }}", {"m": model(name="n", key="hush")})
