package deployments_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
)

func TestTimesThatDoNotFitIntoTheStepsAreWarnedOf(t *testing.T) {
	const head = "service: a\ntraffic: {version_flag: k}\nsteps: [{weight: 5, bake: 5m}, {weight: 50, bake: 10m}, 100]\nrules:\n  - "
	tests := map[string]struct{ rule, want string }{
		"the defaults":              {"{name: r, query: up, min: 1}", ""},
		"an interval above a bake":  {"{name: r, query: up, min: 1, interval: 6m}", "p.yaml:5:5: warning: rule r: it is read every 6m, and the step of 5 % bakes for 5m: the step lasts until the reading; write a shorter interval, or a longer bake"},
		"but not of that step":      {"{name: r, query: up, min: 1, interval: 6m, steps: [50, 100]}", ""},
		"a cron line":               {`{name: r, query: up, min: 1, interval: "@hourly"}`, ""},
		"a warmup of a whole bake":  {"{name: r, query: up, min: 1, warmup: 5m}", "p.yaml:5:5: warning: rule r: its warmup is 5m, and the step of 5 % bakes for 5m: the step lasts until a reading after the warmup; write a shorter warmup, or a longer bake"},
		"for above all bakes":       {"{name: r, query: up, min: 1, for: 1h}", "p.yaml:5:5: warning: rule r: it must fail for 1h before the release is taken back, and the steps it is read in bake for 15m together; write a shorter for"},
		"for of a rule that holds":  {"{name: r, query: up, min: 1, for: 1h, on_fail: hold}", ""},
		"for above that of its own": {"{name: r, query: up, min: 1, for: 12m, steps: [50]}", "p.yaml:5:5: warning: rule r: it must fail for 12m before the release is taken back, and the steps it is read in bake for 10m together; write a shorter for"},
		"a step without a bake":     {"{name: r, query: up, min: 1, interval: 10m, steps: [100]}", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, findings := deployments.ParsePolicies("p.yaml", []byte(head+tt.rule))
			if diff := cmp.Diff(tt.want, strings.TrimSpace(findings.Error())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
