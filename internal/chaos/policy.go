package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Interval is that of all rules. It is longer than a lease, so that a worker's death costs one evaluation at most.
const Interval = 5 * time.Second

// policiesPerFile decides how many rollouts share an instant: those of one file have one phase.
const policiesPerFile = 10

const policy = `service: %s
traffic: %s
steps:
  - {weight: 5, bake: 1s}
  - {weight: 25, bake: 1s}
  - {weight: 50, bake: 1s}
  - {weight: 100, bake: 1s}
defaults: {interval: %s, window: 1s, for: 0s, min_samples: 20}
recovery: 5m
rules:
  - name: errors
    bad: sum(increase(errors_total{service="{{service}}",version="{{version}}",step="{{step}}"}[{{window}}]))
    total: sum(increase(requests_total{service="{{service}}",version="{{version}}",step="{{step}}"}[{{window}}]))
    max: 5%%
`

// WritePolicies writes the policies of a script into a directory. weight is the program of cmd/weight, store the address
// of the flag store.
func WritePolicies(dir string, s Script, weight, store string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for from := 0; from < len(s.Slots); from += policiesPerFile {
		var docs []string
		for _, slot := range s.Slots[from:min(from+policiesPerFile, len(s.Slots))] {
			docs = append(docs, fmt.Sprintf(policy, slot.Service, mover(slot, weight, store), Interval))
		}
		file := filepath.Join(dir, fmt.Sprintf("%04d.yaml", from))
		if err := os.WriteFile(file, []byte(strings.Join(docs, "---\n")), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func mover(s Slot, weight, store string) string {
	if !s.Exec {
		return "{version_flag: " + s.Service + "}"
	}
	return fmt.Sprintf("{exec: {set: [%q, %q, set, %q, %q, %q], read: [%q, %q, read, %q]}}",
		weight, store, "{{rollout}}/{{seq}}", "{{service}}", "{{share}}", weight, store, "{{service}}")
}
