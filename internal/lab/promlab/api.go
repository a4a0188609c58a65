package promlab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
)

// API answers Prometheus' HTTP query API from a store: query, query_range, series, labels, label values, and the health
// pages, by GET and POST. Errors have Prometheus' codes and envelope.
type API struct {
	store  *Store
	engine *promql.Engine
	now    func() time.Time
	mux    *http.ServeMux
}

// NewAPI makes the API with an engine that has Prometheus' defaults. A subquery without a step takes one a second.
func NewAPI(store *Store, now func() time.Time) *API {
	a := &API{store: store, now: now, mux: http.NewServeMux(), engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: 2 * time.Minute, LookbackDelta: 5 * time.Minute,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Second.Milliseconds() },
	})}
	for path, answer := range map[string]func(*http.Request) (any, notes, error){
		"/api/v1/query": a.query, "/api/v1/query_range": a.queryRange,
		"/api/v1/series": a.series, "/api/v1/labels": a.labelNames, "/api/v1/label/{name}/values": a.labelValues,
	} {
		handler := func(w http.ResponseWriter, r *http.Request) { respond(w, r, answer) }
		a.mux.HandleFunc("GET "+path, handler)
		a.mux.HandleFunc("POST "+path, handler)
	}
	for _, path := range []string{"/-/ready", "/-/healthy"} {
		a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Prometheus Server is Ready.") })
	}
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func (a *API) query(r *http.Request) (any, notes, error) {
	at, err := a.timeParam(r, "time", a.now())
	if err != nil {
		return nil, nil, err
	}
	return a.run(r, func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error) {
		return a.engine.NewInstantQuery(ctx, a.store, opts, expr, at)
	})
}

func (a *API) queryRange(r *http.Request) (any, notes, error) {
	start, err := a.timeParam(r, "start", time.Time{})
	if err != nil {
		return nil, nil, err
	}
	end, err := a.timeParam(r, "end", time.Time{})
	if err != nil {
		return nil, nil, err
	}
	step, err := parseDuration(r.FormValue("step"))
	if err != nil {
		return nil, nil, badParam("step", err)
	}
	switch {
	case end.Before(start):
		return nil, nil, badParam("end", errors.New("end timestamp must not be before start time"))
	case step <= 0:
		return nil, nil, badParam("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	case end.Sub(start)/step > 11000:
		return nil, nil, badData(errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"))
	}
	return a.run(r, func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error) {
		return a.engine.NewRangeQuery(ctx, a.store, opts, expr, start, end, step)
	})
}

// run evaluates the request's query, within its timeout and with its lookback where it has them.
func (a *API) run(r *http.Request, prepare func(context.Context, promql.QueryOpts, string) (promql.Query, error)) (any, notes, error) {
	ctx := r.Context()
	if text := r.FormValue("timeout"); text != "" {
		timeout, err := parseDuration(text)
		if err != nil {
			return nil, nil, badParam("timeout", err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var lookback time.Duration
	if text := r.FormValue("lookback_delta"); text != "" {
		var err error
		if lookback, err = parseDuration(text); err != nil {
			return nil, nil, badData(fmt.Errorf("error parsing lookback delta duration: %w", err))
		}
	}
	expr := r.FormValue("query")
	q, err := prepare(ctx, promql.NewPrometheusQueryOpts(false, lookback), expr)
	if err != nil {
		return nil, nil, badParam("query", err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	warnings, infos := res.Warnings.AsStrings(expr, 10, 10)
	if res.Err != nil {
		return nil, nil, evaluationError(res.Err)
	}
	data, err := encode(res.Value) // before q.Close gives the value's memory back
	return data, notes{"warnings": warnings, "infos": infos}, err
}

func (a *API) timeParam(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	text := r.FormValue(name)
	if text == "" && !otherwise.IsZero() {
		return otherwise, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		// Rounded to the millisecond, as Prometheus does: clients send floats.
		whole, fraction := math.Modf(seconds)
		return time.Unix(int64(whole), int64(math.Round(fraction*1000)/1000*float64(time.Second))).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	return time.Time{}, badParam(name, fmt.Errorf("cannot parse %q to a valid timestamp", text))
}

func parseDuration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if d := seconds * float64(time.Second); d <= math.MaxInt64 && d >= math.MinInt64 {
			return time.Duration(d), nil
		}
	} else if d, err := model.ParseDuration(text); err == nil {
		return time.Duration(d), nil
	}
	return 0, fmt.Errorf("cannot parse %q to a valid duration", text)
}
