package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/steps"
)

func TestAPersonTurnsAFlagOffInTheMiddleOfARollout(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("with records", func(t *testing.T) {
		o := newOrdered(t)
		o.do("flags", "set", "checkout-version", "1.0.0", "--by", "ada")
		o.do("release", "checkout", "1.1.0")
		e := o.until("checkout", in(steps.Baking))
		for _, want := range []string{"checkout-version  1.0.0   1.1.0 to 5 %", e.Rollout} {
			if _, said := o.serin("flags", "list"); !strings.Contains(said, want) {
				t.Errorf("list has no %q:\n%s", want, said)
			}
		}
		code, said := o.serin("flags", "kill", "checkout-version", "--by", "ada", "--reason", "the shop is empty")
		if code != exitOK || !strings.Contains(said, "production.checkout-version serves 1.0.0 to all: 65 users evaluated by Serin in ") ||
			!strings.Contains(said, "rollout "+e.Rollout+" had it at 5 %") {
			t.Errorf("kill: %d: %s", code, said)
		}
		if code, said := o.serin("flags", "kill", "checkout-version"); code != exitOK || strings.Contains(said, "under way") {
			t.Errorf("a second kill: %d: %s", code, said)
		}
		o.do("abort", "checkout")
		o.until("checkout", in(steps.Ended))
		for _, want := range []string{"ada (unverified)", "the shop is empty", "now killed: 1.0.0, was 1.0.0, and 1.1.0 to 5 %; confirmed: 65 users", "was nothing", "step 1 of 3"} {
			if code, said := o.serin("flags", "log", "checkout-version"); code != exitOK || !strings.Contains(said, want) {
				t.Errorf("log: %d: no %q:\n%s", code, want, said)
			}
		}
		if code, said := o.serin("flags", "log", "-o", "json"); code != exitOK || !strings.Contains(said, `"by":"ada (unverified)"`) {
			t.Errorf("log of all: %d: %s", code, said)
		}
	})
}

func TestDirectNeedsASystemOtherThanSerin(t *testing.T) {
	for name, c := range map[string]struct{ policy, want string }{
		"no policy":   {"", "add --policy FILE"},
		"Serin's own": {"service: shop\ntraffic: {flag: k}\ndiluted: true\nrules: [{uses: http/error-rate, max: 5%}]\n", "which is in NATS"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, args := t.TempDir(), []string{"flags", "kill", "k", "--direct"}
			if c.policy != "" {
				if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(c.policy), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--policy", "p.yaml")
			}
			var out strings.Builder
			env := Env{Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }, Dir: dir}
			if code := run(t.Context(), args, env); code != exitUsage || !strings.Contains(out.String(), c.want) {
				t.Errorf("%d: %s", code, out.String())
			}
		})
	}
}
