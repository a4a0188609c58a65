package promlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// fetch reads one page in the text format and adds the base labels to what does not have them.
func fetch(ctx context.Context, client *http.Client, page string, base map[string]string) ([]Sample, error) {
	if client == nil {
		client = http.DefaultClient
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", page, err)
	}
	req.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", page, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape %s: %s", page, resp.Status)
	}
	samples, err := decode(resp.Body, expfmt.ResponseFormat(resp.Header), base)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", page, err)
	}
	return samples, nil
}

func decode(r io.Reader, format expfmt.Format, base map[string]string) ([]Sample, error) {
	dec := expfmt.SampleDecoder{Dec: expfmt.NewDecoder(r, format), Opts: &expfmt.DecodeOptions{}}
	var out []Sample
	for {
		var vector model.Vector
		err := dec.Decode(&vector)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for _, s := range vector {
			out = append(out, Sample{Labels: withBase(s.Metric, base), Value: float64(s.Value)})
		}
	}
}

func withBase(m model.Metric, base map[string]string) labels.Labels {
	all := make(map[string]string, len(m)+len(base))
	maps.Copy(all, base)
	for name, v := range m {
		all[string(name)] = string(v)
	}
	for _, name := range []string{model.BucketLabel, model.QuantileLabel} {
		if v, ok := all[name]; ok {
			all[name] = canonical(v)
		}
	}
	return labels.FromMap(all)
}

// canonical writes a bound as Prometheus 3 stores it: le="1" is le="1.0".
func canonical(bound string) string {
	f, err := strconv.ParseFloat(bound, 64)
	if err != nil || strings.ContainsAny(bound, ".eEIN") {
		return bound
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}
