package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/serin-cd/serin/analysis"
)

// MetricNames lists the names of the metrics that have samples between two instants, sorted.
func (c *Client) MetricNames(ctx context.Context, source *analysis.Source, from, to time.Time) ([]string, error) {
	api, err := c.get(ctx, source, "/label/"+model.MetricNameLabel+"/values", url.Values{"start": {seconds(from)}, "end": {seconds(to)}})
	if err != nil {
		return nil, err
	}
	values, _, _, err := api.LabelValues(ctx, model.MetricNameLabel, nil, from, to)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	slices.Sort(out)
	return out, c.explain(source, err)
}

// MetricTypes lists the types that exporters declare for a metric: counter, gauge, histogram, summary. It is empty where
// none is known: not all servers keep them.
func (c *Client) MetricTypes(ctx context.Context, source *analysis.Source, metric string) ([]string, error) {
	api, err := c.get(ctx, source, "/metadata", url.Values{"metric": {metric}})
	if err != nil {
		return nil, err
	}
	found, err := api.Metadata(ctx, metric, "")
	var out []string
	for _, m := range found[metric] {
		if kind := string(m.Type); kind != "" && m.Type != v1.MetricTypeUnknown && !slices.Contains(out, kind) {
			out = append(out, kind)
		}
	}
	slices.Sort(out)
	return out, c.explain(source, err)
}

// spacingRange is how far back the samples of a series are looked at: a scrape in ten minutes is still seen.
const spacingRange = "1h"

// Spacing is the median time between two samples of the series that a selector selects, in the hour before an instant; 0
// when there are fewer than three samples. It is what queries see of a scrape interval. The page of targets would name
// that interval too, but VictoriaMetrics' cluster and Mimir have no such page, and it says nothing of what is pushed or
// recorded. The median is not moved by a scrape that failed, nor by a restart.
func (c *Client) Spacing(ctx context.Context, source *analysis.Source, selector string, at time.Time) (time.Duration, error) {
	s, err := c.server(source)
	if err != nil {
		return 0, err
	}
	own, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, body, err := s.query(own, form(selector+"["+spacingRange+"]", at, s.bound))
	if err != nil {
		return 0, s.unanswered(ctx, own, err)
	}
	value, _, _, err := v1.NewAPI(answered{resp, body}).Query(ctx, "", at)
	if err != nil {
		return 0, s.explain(err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return 0, fmt.Errorf("%s answered a range with a %s", s.host, value.Type())
	}
	return spacing(matrix), nil
}

// spacing is the median of the spacings of all series.
func spacing(matrix model.Matrix) time.Duration {
	var gaps []time.Duration
	for _, series := range matrix {
		var at []model.Time
		for _, p := range series.Values {
			at = append(at, p.Timestamp)
		}
		for _, p := range series.Histograms {
			at = append(at, p.Timestamp)
		}
		slices.Sort(at)
		for i := 1; i < len(at); i++ {
			gaps = append(gaps, at[i].Sub(at[i-1]))
		}
	}
	if len(gaps) < 2 {
		return 0
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// get asks another page of the API, and returns what reads the answer.
func (c *Client) get(ctx context.Context, source *analysis.Source, path string, params url.Values) (v1.API, error) {
	s, err := c.server(source)
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, u := s.request.WithContext(own), *s.request.URL
	u.Path = strings.TrimSuffix(u.Path, "/query") + path
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += params.Encode()
	req.Method, req.URL, req.Header = http.MethodGet, &u, s.request.Header.Clone()
	req.Header.Del("Content-Type")
	resp, body, err := s.do(req)
	if err != nil {
		return nil, s.unanswered(ctx, own, err)
	}
	return v1.NewAPI(answered{resp, body}), nil
}

// unanswered says why there is no answer: own bounds the request, ctx the call.
func (s *server) unanswered(ctx, own context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ended(ctx.Err())
	case own.Err() != nil:
		return queryError{text: fmt.Sprintf("%s did not answer within %s", s.host, s.timeout), cause: own.Err()}
	}
	return s.explain(err)
}

// explain puts an error of reading an answer into words.
func (c *Client) explain(source *analysis.Source, err error) error {
	if err == nil {
		return nil
	}
	s, broken := c.server(source)
	if broken != nil {
		return errors.Join(err, broken)
	}
	return s.explain(err)
}

func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}
