package promlab

import (
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// series lists the series that match any of match[], from start to end.
func (a *API) series(r *http.Request) (any, notes, error) {
	if err := r.ParseForm(); err != nil {
		return nil, nil, badData(err)
	}
	if len(r.Form["match[]"]) == 0 {
		return nil, nil, badData(errors.New("no match[] parameter provided"))
	}
	sets, err := parser.NewParser(parser.Options{}).ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return nil, nil, badParam("match[]", err)
	}
	view, err := a.view(r)
	if err != nil {
		return nil, nil, err
	}
	out, seen := []labels.Labels{}, map[string]bool{}
	for _, matchers := range sets {
		for set := view.Select(r.Context(), true, nil, matchers...); set.Next(); {
			l := set.At().Labels()
			if key := string(l.Bytes(nil)); !seen[key] {
				seen[key] = true
				out = append(out, l)
			}
		}
	}
	return out, nil, nil
}

func (a *API) labelNames(r *http.Request) (any, notes, error) {
	return a.list(r, func(q storage.Querier) ([]string, error) {
		names, _, err := q.LabelNames(r.Context(), nil)
		return names, err
	})
}

func (a *API) labelValues(r *http.Request) (any, notes, error) {
	return a.list(r, func(q storage.Querier) ([]string, error) {
		values, _, err := q.LabelValues(r.Context(), r.PathValue("name"), nil)
		return values, err
	})
}

// list answers with strings. It knows no match[]: it refuses it rather than ignore it.
func (a *API) list(r *http.Request, names func(storage.Querier) ([]string, error)) (any, notes, error) {
	if err := r.ParseForm(); err != nil {
		return nil, nil, badData(err)
	}
	if r.Form.Has("match[]") {
		return nil, nil, badData(errors.New("match[] is not supported here"))
	}
	q, err := a.view(r)
	if err != nil {
		return nil, nil, err
	}
	out, err := names(q)
	if out == nil {
		out = []string{}
	}
	return out, nil, err
}

// view is the store between start and end, both optional.
func (a *API) view(r *http.Request) (storage.Querier, error) {
	start, err := a.timeParam(r, "start", time.UnixMilli(math.MinInt64/4))
	if err != nil {
		return nil, err
	}
	end, err := a.timeParam(r, "end", time.UnixMilli(math.MaxInt64/4))
	if err != nil {
		return nil, err
	}
	return a.store.Querier(timestamp.FromTime(start), timestamp.FromTime(end))
}
