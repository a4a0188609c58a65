package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/rules/importer"
)

// shapes are the forms that expressions of alerts have, with a number in each.
var shapes = []string{
	`up{job="j%d"} == 0`,
	`sum(rate(requests_total{job="j%d",code=~"5.."}[5m])) / sum(rate(requests_total[5m])) > 0.05`,
	`(disk_avail_bytes / disk_size_bytes * 100 < 10 and on (instance, device) disk_readonly == 0) * on (instance) group_left (node) info{n="%d"}`,
	`absent(up{job="j%d"})`,
	`histogram_quantile(0.99, sum by (le, job) (rate(latency_seconds_bucket{n="%d"}[5m]))) > 1.5`,
	`rate(errors_total{n="%d"}[1m]) > 0 unless on (job) maintenance == 1`,
	`predict_linear(disk_free_bytes{n="%d"}[1h], 4 * 3600) < 0`,
	`a:b:rate5m{n="%d"} > (14.4 * 0.001) and a:b:rate1h > (14.4 * 0.001)`,
	`changes(restarts_total{n="%d"}[15m]) > 3 or increase(oom_total[5m]) > 0`,
	`time() - last_success_seconds{n="%d"} > 86400`,
	`0.1 < avg without (cpu) (irate(cpu_seconds_total{mode="iowait",n="%d"}[5m]))`,
	`replicas{n="%d"} != available_replicas`,
	`max_over_time((errors{n="%d"} > 5)[10m:1m])`,
}

func TestAThousandAlertsBecomeOnePolicyThatPassesCheck(t *testing.T) {
	var b strings.Builder
	b.WriteString("groups:\n- name: many\n  rules:\n")
	for i := range 1000 {
		expr := fmt.Sprintf(shapes[i%len(shapes)], i)
		fmt.Fprintf(&b, "  - alert: Alert %d\n    expr: |\n      %s\n    for: %dm\n    labels: {severity: warning}\n    annotations: {summary: '{{ $labels.job }}: {{ $value | humanize }}'}\n", i, expr, i%10)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	env := Env{Stdout: &out, Stderr: &errs, Dir: dir}
	if code := run(t.Context(), []string{"import", "prometheus", "-o", "json", "-w", "policy.yaml", "--strict", "rules.yaml"}, env); code != exitOK {
		t.Fatalf("status %d: %s", code, errs.String())
	}
	var report importer.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || len(report) != 1000 || report.Count(importer.Converted) != 1000 {
		t.Errorf("%d rules in the report, %d converted: %v", len(report), report.Count(importer.Converted), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ps, findings := deployments.ParsePolicies("policy.yaml", text)
	if err := findings.Err(); err != nil || len(ps) != 1 || len(ps[0].Rules) != 1000 {
		t.Errorf("%d policies: %v", len(ps), err)
	}
	for i, r := range ps[0].Rules {
		if want := fmt.Sprintf(shapes[i%len(shapes)], i) + "\n"; r.Alert == nil || r.Alert.Expr != want {
			t.Fatalf("rule %d: %+v, want the expression %s", i, r.Alert, want)
		}
	}
}
