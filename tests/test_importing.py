"""OpenMLDB scripts in a project: each kind of statement, and scripts of the shapes of its demos."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

import workbench as wb

TAXI = """
-- taxi trips, as in the demo
CREATE DATABASE demo_db;
USE demo_db;
SET @@job_timeout=600000;
CREATE TABLE t1(id string, vendor_id int, pickup_datetime timestamp, dropoff_datetime timestamp,
  passenger_count int, pickup_longitude double, store_and_fwd_flag string, trip_duration int);
SET @@execute_mode='offline';
LOAD DATA INFILE 'trips.csv' INTO TABLE t1 options(format='csv', header=true, mode='append');
SELECT trip_duration, passenger_count,
  sum(pickup_longitude) OVER w AS vendor_sum_pl,
  max(pickup_longitude) OVER w AS vendor_max_pl,
  avg(pickup_longitude) OVER w2 AS pc_avg_pl,
  count(vendor_id) OVER w AS vendor_cnt
FROM t1
WINDOW w AS (PARTITION BY vendor_id ORDER BY pickup_datetime ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW),
  w2 AS (PARTITION BY passenger_count ORDER BY pickup_datetime ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
INTO OUTFILE '/tmp/feature_data';
SET @@execute_mode='online';
DEPLOY demo OPTIONS(RANGE_BIAS='inf', ROWS_BIAS='inf') SELECT trip_duration, passenger_count,
  sum(pickup_longitude) OVER w AS vendor_sum_pl
FROM t1
WINDOW w AS (PARTITION BY vendor_id ORDER BY pickup_datetime ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW);
"""
TRIPS = """\
id,vendor_id,pickup_datetime,dropoff_datetime,passenger_count,pickup_longitude,flag,trip_duration
a,1,2016-01-01 00:00:17,2016-01-01 00:14:26,5,-73.9,N,849
b,1,2016-01-01 00:00:53,2016-01-01 00:22:27,2,-73.5,N,1294
c,2,2016-01-01 00:01:01,2016-01-01 00:07:49,,-73.0,N,408
"""
QUICK_START = """
CREATE DATABASE demo_db; USE demo_db;
CREATE TABLE demo_table1(c1 string, c2 int, c3 bigint, c4 float, c5 double, c6 timestamp, c7 date,
  INDEX(KEY=c1, TS=c6, TTL_TYPE=absolute, TTL=0));
LOAD DATA INFILE 'data.csv' INTO TABLE demo_table1 OPTIONS(format='csv', header=false, mode='append');
DEPLOY demo_data_service SELECT c1, c2, sum(c3) OVER w1 AS w1_c3_sum FROM demo_table1
  WINDOW w1 AS (PARTITION BY demo_table1.c1 ORDER BY demo_table1.c6 ROWS BETWEEN 2 PRECEDING AND CURRENT ROW);
SHOW DEPLOYMENTS;
"""
ADTRACKING = """
CREATE TABLE talkingdata(ip int, app int, device int, os int, channel int, click_time timestamp, is_attributed int,
  INDEX(KEY=(ip), TS=click_time), INDEX(KEY=(ip, app), TS=click_time), INDEX(KEY=(ip, app, os), TS=click_time))
  OPTIONS(partitionnum=1);
INSERT INTO talkingdata VALUES (1, 2, 1, 13, 497, 1510105800000, 0), (1, 3, 1, 13, 259, '2017-11-08 09:50:30', 1);
DEPLOY fraud SELECT is_attributed, app, hour(click_time) AS hour, day(click_time) AS day,
  count(channel) OVER w1 AS qty, count(channel) OVER w2 AS ip_app_count, count(channel) OVER w3 AS ip_app_os_count
FROM talkingdata
WINDOW w1 AS (PARTITION BY ip ORDER BY click_time ROWS_RANGE BETWEEN 1h PRECEDING AND CURRENT ROW),
  w2 AS (PARTITION BY ip, app ORDER BY click_time ROWS_RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
  w3 AS (PARTITION BY ip, app, os ORDER BY click_time ROWS_RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);
"""
RECOMMENDATION = """
CREATE TABLE flattenRequest(reqId string, eventTime timestamp, main_id string, pair_id string, user_id string,
  sku_id string, INDEX(KEY=user_id, TS=eventTime, TTL=(30d, 10), TTL_TYPE=absandlat));
CREATE TABLE bo_action(ingestionTime timestamp, user_id string, sku_id string, type int,
  INDEX(KEY=user_id, TS=ingestionTime));
CREATE TABLE bo_user(ingestionTime timestamp, user_id string, age string, sex int,
  INDEX(KEY=user_id, TS=ingestionTime));
DEPLOY jd SELECT reqId, bo_user_0.age AS age, distinct_count(sku_id) OVER w AS skus,
  topn_frequency(sku_id, 3) OVER w_union AS top_skus
FROM (SELECT reqId, eventTime, user_id, sku_id FROM flattenRequest) AS flattenRequest
LAST JOIN bo_user AS bo_user_0 ORDER BY bo_user_0.ingestionTime
  ON flattenRequest.user_id = bo_user_0.user_id AND bo_user_0.ingestionTime <= flattenRequest.eventTime
WINDOW w AS (PARTITION BY user_id ORDER BY eventTime ROWS_RANGE BETWEEN 2d PRECEDING AND CURRENT ROW),
  w_union AS (UNION (SELECT '' AS reqId, ingestionTime AS eventTime, user_id, sku_id FROM bo_action)
    PARTITION BY user_id ORDER BY eventTime ROWS_RANGE BETWEEN 2d PRECEDING AND CURRENT ROW MAXSIZE 200
    INSTANCE_NOT_IN_WINDOW);
"""


@pytest.fixture
def project(tmp_path: Path) -> wb.Project:
    return wb.open(tmp_path / "project")


def test_the_taxi_demo(project: wb.Project, tmp_path: Path) -> None:
    (tmp_path / "trips.csv").write_text(TRIPS)
    script = tmp_path / "taxi.sql"
    script.write_text(TAXI)
    report = project.import_sql(script)
    assert [step.state for step in report.steps].count("done") == 4 and not report.refused
    assert project.list_views() == ["demo", "feature_data"] and report.views == ("feature_data", "demo")
    row = {"vendor_id": 1, "pickup_datetime": datetime(2016, 1, 1), "passenger_count": 5, "trip_duration": 1}
    answer = project.view("demo").request(row | {"pickup_longitude": -1.0})
    # The file's times are in UTC+8: its trips were before.
    assert answer == {"trip_duration": 1, "passenger_count": 5, "vendor_sum_pl": -148.4}
    assert project.table("t1").time == "pickup_datetime"
    assert "/tmp/feature_data" in str(report)


def test_the_quick_start(project: wb.Project, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(
        "aaa,11,22,1.2,1.3,1635247427000,2021-05-20\nbb,12,,1.2,null,2021-10-26 19:23:47,\n"
    )
    report = project.import_sql(QUICK_START, folder=tmp_path)
    assert [step.state for step in report.steps] == ["ignored", "ignored", "done", "done", "done", "ignored"]
    assert project.table("demo_table1").time == "c6"
    row = {"c1": "aaa", "c2": 1, "c3": 5, "c6": datetime(2022, 1, 1)}
    assert project.view("demo_data_service").request(row) == {"c1": "aaa", "c2": 1, "w1_c3_sum": 27}
    assert project.view("demo_data_service").check(rows="all").different == 0
    times = project.sql("SELECT DISTINCT c6 FROM demo_table1").to_pyarrow().to_pylist()
    assert times == [{"c6": datetime(2021, 10, 26, 11, 23, 47)}]


def test_the_ad_tracking_demo(project: wb.Project) -> None:
    project.import_sql(ADTRACKING)
    rows = project.table("talkingdata").head()
    assert list(rows["click_time"]) == [datetime(2017, 11, 8, 1, 50), datetime(2017, 11, 8, 1, 50, 30)]
    found = project.view("fraud").offline().to_pyarrow().to_pylist()
    assert [(row["hour"], row["day"], row["qty"], row["ip_app_count"]) for row in found] == [
        (9, 8, 1, 1),
        (9, 8, 2, 1),
    ]


def test_a_recommendation_script(project: wb.Project) -> None:
    report = project.import_sql(RECOMMENDATION, dry_run=True)
    assert {step.state for step in report.steps} == {"planned"} and project.list_tables() == []
    assert "absandlat" in str(report)


def test_queries_in_the_workbenchs_dialect(project: wb.Project) -> None:
    report = project.import_sql(RECOMMENDATION, transpile=True)
    text = report.steps[-1].text or ""
    assert "-- NULL keys do not match in the join of bo_user" in text
    project.define("again", text)
    row = {"reqId": "1", "eventTime": datetime(2024, 1, 1), "user_id": "u", "sku_id": "s"}
    expected = {"reqId": "1", "age": None, "skus": 1, "top_skus": "s,NULL,NULL"}
    assert project.view("again").request(row) == project.view("jd").request(row) == expected


def test_a_query_that_only_openmldbs_dialect_can_say(project: wb.Project) -> None:
    report = project.import_sql(
        "CREATE TABLE t (k int, ts timestamp); SELECT count(*) OVER "
        "(PARTITION BY k ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS c FROM t;",
        transpile=True,
    )
    assert (report.steps[-1].text or "").endswith("has no ORDER BY")


def test_databases(project: wb.Project) -> None:
    project.import_sql(
        "CREATE TABLE a.t (k int); CREATE TABLE b.t (k int, v int); INSERT INTO b.t VALUES (1, 2);"
        "SELECT a.t.k, b.t.v FROM a.t LAST JOIN b.t ON a.t.k = b.t.k;"
    )
    assert project.list_tables() == ["b_t", "t"]
    assert project.view("query").request({"k": 1}) == {"k": 1, "v": 2}


def test_values_of_an_insert(project: wb.Project) -> None:
    project.import_sql(
        "CREATE TABLE t (a bool, b smallint, c bigint, d double, e string, f date, g timestamp);"
        "INSERT INTO t (a, b, c, d, e, f, g) VALUES (true, -1, 5L, 1.5, 'x', '2020-05-01', 1000), "
        "(NULL, NULL, NULL, NULL, NULL, NULL, NULL);"
    )
    first, second = project.sql("SELECT * FROM t").to_pyarrow().to_pylist()
    assert tuple(first.values()) == (True, -1, 5, 1.5, "x", date(2020, 5, 1), datetime(1970, 1, 1, 0, 0, 1))
    assert set(second.values()) == {None}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE t", "line 2: DROP has no counterpart here (project.drop_table(name)"),
        ("DELETE FROM t WHERE a = 1", "tables are append-only"),
        ("CREATE FUNCTION f(x int) RETURNS int OPTIONS(FILE='f.so')", "@project.function"),
        ("CREATE TABLE u (a map<string, int>)", "column a has the type MAP"),
        ("CREATE TABLE u LIKE PARQUET 'x'", "project.create_table(name, path"),
        ("LOAD DATA INFILE 'x' INTO TABLE t OPTIONS(mode='overwrite')", "would drop rows"),
        ("LOAD DATA INFILE 'x' INTO TABLE t OPTIONS(magic=1)", "no option 'magic'"),
        ("INSERT INTO t SELECT 1", "INSERT takes VALUES"),
        ("INSERT INTO t VALUES (a + 1)", "a value is a constant here"),
        ("CALL f(1)", "view.request"),
        ("CREATE TABLE", "ends too early"),
    ],
)
def test_what_is_refused_is_named_by_its_line(project: wb.Project, statement: str, said: str) -> None:
    with pytest.raises(wb.WorkbenchError) as error:
        project.import_sql(f"CREATE TABLE t (a int);\n{statement};")
    assert said in error.value.message and "line 2" in error.value.message
    assert project.list_tables() == []


def test_the_rest_of_a_script_with_refused_statements(project: wb.Project) -> None:
    report = project.import_sql("CREATE TABLE t (a int);\nDROP TABLE u;", skip_refused=True)
    assert [step.line for step in report.refused] == [2] and project.list_tables() == ["t"]


def test_a_query_that_is_wrong_is_named_by_its_line(project: wb.Project) -> None:
    with pytest.raises(wb.WorkbenchError, match="no column 'b'") as error:
        project.import_sql("CREATE TABLE t (a int);\n\nDEPLOY d SELECT a,\n b FROM t;")
    assert error.value.position == wb.Position(4, 2)
    assert "    4 |  b FROM t;" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"), [("1,x\n", "1 values of 'b' in t.csv are no INTEGER"), ("1\n", "cannot be read")]
)
def test_files_that_do_not_fit(project: wb.Project, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(wb.WorkbenchError, match=said):
        project.import_sql(
            "CREATE TABLE t (a int, b int); LOAD DATA INFILE 't.csv' INTO TABLE t OPTIONS(header=false);",
            folder=tmp_path,
        )


def test_a_missing_file(project: wb.Project, tmp_path: Path) -> None:
    with pytest.raises(wb.WorkbenchError, match=r"no file .*none\.csv"):
        project.import_sql(
            "CREATE TABLE t (a int); LOAD DATA INFILE 'none.csv' INTO TABLE t;", folder=tmp_path
        )


def test_ttl_of_the_indexes(project: wb.Project) -> None:
    project.import_sql(
        "CREATE TABLE t (k int, v int, ts timestamp, INDEX(KEY=k, TS=ts, TTL=30d), INDEX(KEY=v, TS=ts, TTL=1440m));"
    )
    assert project.source_tables()["t"].ttl == 30 * 86_400_000_000
