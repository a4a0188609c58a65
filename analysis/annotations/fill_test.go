package annotations_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis/annotations"
	"github.com/serin-cd/serin/rules"
)

func TestAnnotationsAreFilledAsPrometheusFillsThem(t *testing.T) {
	got := annotations.Fill(rules.Alert{Name: "Errors", Annotations: map[string]string{
		"summary":     "{{ $value | humanizePercentage }} of {{ $labels.job }} fail",
		"runbook_url": "https://runbooks.example/errors",
		"lines":       "one\ntwo\x1b[31m",
		"broken":      "{{ $valeu }}",
		"asks":        `{{ query "up" }}`,
		"long":        strings.Repeat("é", 2000),
	}}, map[string]string{"__name__": "errors", "job": "shop"}, 0.0812, time.Unix(0, 0))
	for name, part := range map[string]string{"broken": `undefined variable "$valeu"`, "asks": "ask Prometheus nothing"} {
		if !strings.Contains(got[name], part) {
			t.Errorf("%s: %q does not say %q", name, got[name], part)
		}
		delete(got, name)
	}
	want := map[string]string{"summary": "8.12% of shop fail", "runbook_url": "https://runbooks.example/errors", "lines": "one two [31m", "long": strings.Repeat("é", 1000) + "…"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}
