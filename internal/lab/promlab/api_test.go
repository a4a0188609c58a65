package promlab_test

import (
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/lab/promlab"
)

func TestEveryResultTypeReachesThePrometheusClient(t *testing.T) {
	l := newLab(t)
	l.store.Append(epoch, promlab.Sample{Labels: series("odd", "k", `a"b\c<d>`), Value: math.Inf(1)})
	l.store.Append(epoch.Add(time.Second), promlab.Sample{Labels: series("odd", "k", `a"b\c<d>`), Value: math.NaN()})
	at := epoch.Add(time.Second)
	for _, c := range []struct{ name, query, want string }{
		{"vector", "odd offset 1s", `odd{k="a\"b\\c<d>"} => +Inf @[1767225601]`},
		{"NaN", "odd", `odd{k="a\"b\\c<d>"} => NaN @[1767225601]`},
		{"empty vector", "absent_metric", ""},
		{"tiny and huge", "vector(1e-9) * 1", "{} => 0.000000001 @[1767225601]"},
		{"scalar", "1.5", "scalar: 1.5 @[1767225601]"},
		{"matrix", "odd[2s]", "odd{k=\"a\\\"b\\\\c<d>\"} =>\n+Inf @[1767225600]\nNaN @[1767225601]"},
		{"empty matrix", "absent_metric[2s]", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, l.ask(t, c.query, at)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnswersHavePrometheusJSON(t *testing.T) {
	l := newLab(t)
	l.store.Append(epoch.Add(250*time.Millisecond), promlab.Sample{Labels: series("m", "b", "2", "a", "1"), Value: 0.25})
	for _, c := range []struct{ name, query, want string }{
		{"vector", "m", `{"resultType":"vector","result":[{"metric":{"__name__":"m","a":"1","b":"2"},"value":[1767225600.25,"0.25"]}]}`},
		{"no series", "n", `{"resultType":"vector","result":[]}`},
		{"no name", "m * 1e22", `{"resultType":"vector","result":[{"metric":{"a":"1","b":"2"},"value":[1767225600.25,"2.5e+21"]}]}`},
		{"matrix", "m[1s]", `{"resultType":"matrix","result":[{"metric":{"__name__":"m","a":"1","b":"2"},"values":[[1767225600.25,"0.25"]]}]}`},
		{"empty matrix", "n[1s]", `{"resultType":"matrix","result":[]}`},
		{"scalar", "1/0", `{"resultType":"scalar","result":[1767225600.25,"+Inf"]}`},
		{"string", `"a"`, `{"resultType":"string","result":[1767225600.25,"a"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			params := url.Values{"query": {c.query}, "time": {"1767225600.25"}}
			want := `{"status":"success","data":` + c.want + "}\n"
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				if diff := cmp.Diff(want, l.raw(t, method, "/api/v1/query", params, http.StatusOK)); diff != "" {
					t.Errorf("%s: %s", method, diff)
				}
			}
		})
	}
}

func TestErrorsHavePrometheusCodesAndEnvelope(t *testing.T) {
	l := newLab(t)
	now := epoch
	l.store.Append(now, promlab.Sample{Labels: series("a", "k", "1"), Value: 1}, promlab.Sample{Labels: series("a", "k", "2"), Value: 1})
	for _, c := range []struct {
		name   string
		path   string
		params url.Values
		status int
		kind   string
		cause  string
	}{
		{"no PromQL", "query", url.Values{"query": {"sum("}}, 400, "bad_data", `invalid parameter \"query\": 1:5: parse error`},
		{"no time", "query", url.Values{"query": {"1"}, "time": {"noon"}}, 400, "bad_data", `invalid parameter \"time\": cannot parse \"noon\"`},
		{"no duration", "query", url.Values{"query": {"1"}, "timeout": {"soon"}}, 400, "bad_data", `invalid parameter \"timeout\"`},
		{"many to many", "query", url.Values{"query": {"a + on() a"}, "time": {"1767225600"}}, 422, "execution", "found duplicate series"},
		{"out of time", "query", url.Values{"query": {"a"}, "timeout": {"0.000000001"}}, 503, "timeout", "query timed out"},
		{"end before start", "query_range", url.Values{"query": {"a"}, "start": {"2"}, "end": {"1"}, "step": {"1"}}, 400, "bad_data", "end timestamp must not be before"},
		{"no step", "query_range", url.Values{"query": {"a"}, "start": {"1"}, "end": {"2"}, "step": {"0"}}, 400, "bad_data", "zero or negative"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := l.raw(t, http.MethodPost, "/api/v1/"+c.path, c.params, c.status)
			if !strings.HasPrefix(body, `{"status":"error","errorType":"`+c.kind+`","error":"`) || !strings.Contains(body, c.cause) {
				t.Errorf("want %s with %q, got %s", c.kind, c.cause, body)
			}
		})
	}
}

func TestTheClientSeesTheErrorsKind(t *testing.T) {
	l := newLab(t)
	_, _, _, err := l.api.Query(t.Context(), "sum(", epoch)
	var known *v1.Error
	if !errors.As(err, &known) || known.Type != v1.ErrBadData {
		t.Errorf("want bad_data, got %v", err)
	}
	if _, _, _, err = l.api.Query(t.Context(), "a", epoch, v1.WithTimeout(time.Second)); err != nil {
		t.Errorf("a query within its timeout: %v", err)
	}
}

func TestRangesSeriesAndLabelsReachThePrometheusClient(t *testing.T) {
	l := newLab(t)
	l.ramp("c", 5, 4)
	v, _, _, err := l.api.QueryRange(t.Context(), "c", v1.Range{Start: epoch, End: epoch.Add(2 * time.Second), Step: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("c =>\n0 @[1767225600]\n10 @[1767225601]\n20 @[1767225602]", v.String()); diff != "" {
		t.Error(diff)
	}
	sets, _, _, err := l.api.Series(t.Context(), []string{`c`, `{__name__=~"c|d"}`}, epoch, epoch.Add(time.Minute))
	if diff := cmp.Diff([]model.LabelSet{{"__name__": "c"}}, sets); diff != "" || err != nil {
		t.Error(diff, err)
	}
	names, _, _, err := l.api.LabelNames(t.Context(), nil, epoch, epoch.Add(time.Minute))
	if diff := cmp.Diff(model.LabelNames{"__name__"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
	values, _, _, err := l.api.LabelValues(t.Context(), "__name__", nil, epoch, epoch.Add(time.Minute))
	if diff := cmp.Diff(model.LabelValues{"c"}, values); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestReadyPageAnswers(t *testing.T) {
	newLab(t).raw(t, http.MethodGet, "/-/ready", nil, http.StatusOK)
}

func (l lab) raw(t *testing.T, method, path string, params url.Values, status int) string {
	t.Helper()
	target, body := l.url+path, io.Reader(nil)
	if method == http.MethodPost {
		body = strings.NewReader(params.Encode())
	} else {
		target += "?" + params.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := l.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("want status %d, got %s: %s %v", status, resp.Status, text, err)
	}
	return string(text)
}
