package traffic_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/steps"
)

func TestTheNginxExampleNamesItsMover(t *testing.T) {
	const name = "../../deployments/examples/nginx/policy.yaml"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, docs := yamldoc.Parse(name, text)
	got, _, ok := steps.ParseMover(docs[0].Map("service", "prometheus", "traffic", "rules").Get("traffic"))
	want := steps.Mover{
		Kind: steps.ExecMover,
		Set:  []string{"/etc/serin/nginx/set-weight.sh", "{{percent}}", "/etc/nginx/serin/checkout.split"},
		Read: []string{"/etc/serin/nginx/read-weight.sh", "http://127.0.0.1:8089/weight/checkout"},
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok || file.Findings.Err() != nil {
		t.Errorf("findings %v, mover (-want +got):\n%s", file.Findings, diff)
	}
}
