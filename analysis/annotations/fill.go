package annotations

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"

	"github.com/serin-cd/serin/rules"
)

// maxText bounds an annotation, in runes.
const maxText = 1000

// variables are declared for every template, as Prometheus declares them.
const variables = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

var errQuery = errors.New("a rollout's annotations ask Prometheus nothing")

// Fill fills in an alert's annotations for the series that fires, with its labels and value, at an instant.
func Fill(a rules.Alert, labels map[string]string, value float64, at time.Time) map[string]string {
	if len(a.Annotations) == 0 {
		return nil
	}
	seen := map[string]string{}
	for name, v := range labels {
		if name != model.MetricNameLabel {
			seen[name] = v
		}
	}
	data := template.AlertTemplateData(seen, nil, "", promql.Sample{F: value})
	query := func(context.Context, string, time.Time) (promql.Vector, error) { return nil, errQuery }
	out := map[string]string{}
	for name, text := range a.Annotations {
		expander := template.NewTemplateExpander(context.Background(), variables+text, "__alert_"+a.Name, data, model.TimeFromUnixNano(at.UnixNano()), query, &url.URL{}, nil)
		filled, err := expander.Expand()
		if err != nil {
			filled = "<" + err.Error() + ">"
		}
		out[name] = bounded(filled)
	}
	return out
}

// bounded is a text of at most maxText runes without control characters.
func bounded(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimSpace(text) {
		if n++; n > maxText {
			b.WriteRune('…')
			break
		}
		if unicode.IsControl(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}
