package steps_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/steps"
)

func parseMover(t testing.TB, text string) (steps.Mover, steps.Share, bool, string) {
	t.Helper()
	file, docs := yamldoc.Parse("p.yaml", []byte(text))
	if len(docs) == 0 {
		return steps.Mover{}, 0, false, file.Findings.Error()
	}
	policy := docs[0].Map("traffic")
	m, tolerance, ok := steps.ParseMover(policy.Get("traffic"))
	return m, tolerance, ok, file.Findings.Error()
}

func TestEachMoverIsReadFromItsKey(t *testing.T) {
	for text, want := range map[string]steps.Mover{
		`traffic: {version_flag: checkout-version}`: {Kind: steps.VersionFlag, Key: "checkout-version"},
		`traffic: {flag: new-checkout}`:             {Kind: steps.FeatureFlag, Key: "new-checkout"},
		`traffic: {event: deployer}`:                {Kind: steps.EventMover, Key: "deployer"},
		`traffic: {observe: true}`:                  {Kind: steps.Observe},
		`traffic: {exec: {set: [set, "--weight={{percent}}", 3]}}`: {
			Kind: steps.ExecMover, Set: []string{"set", "--weight={{percent}}", "3"},
		},
		`traffic: {exec: {set: [set, "{{ share }}"], read: [read, "{{service}}"]}}`: {
			Kind: steps.ExecMover, Set: []string{"set", "{{ share }}"}, Read: []string{"read", "{{service}}"},
		},
	} {
		t.Run(text, func(t *testing.T) {
			got, _, ok, findings := parseMover(t, text)
			if diff := cmp.Diff(want, got); diff != "" || !ok || findings != "" {
				t.Errorf("ok %v, findings %q, mover (-want +got):\n%s", ok, findings, diff)
			}
		})
	}
}

func TestToleranceIsAShareBesideTheMover(t *testing.T) {
	_, got, ok, findings := parseMover(t, `traffic: {observe: true, tolerance: 2.5%}`)
	if got != 250 || !ok || findings != "" {
		t.Errorf("tolerance %v, ok %v, findings %q; want 2.5 %%", got, ok, findings)
	}
}

const all = "write exactly one of: `version_flag: checkout-version` (a flag whose variants are versions), " +
	"`flag: new-checkout` (a feature flag, on or off), `event: deployer` (your deployer, which acknowledges), " +
	"`exec: {set: [./set-weight.sh, \"{{percent}}\"], read: [./read-weight.sh]}` (a command), " +
	"`observe: true` (somebody else moves it)"

func TestAWrongTrafficSectionSaysWhereAndHow(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none at all", `service: x`, `p.yaml:1:1: error: unknown key "service"; known here: traffic
p.yaml:1:1: error: traffic: is missing: nothing moves traffic; ` + all},
		{"an empty section", `traffic: {}`, `p.yaml:1:10: error: traffic: names no mover; ` + all},
		{"a tolerance alone", `traffic: {tolerance: 5%}`, `p.yaml:1:10: error: traffic: names no mover; ` + all},
		{"two", "traffic:\n  event: deployer\n  version_flag: v", `p.yaml:2:3: error: traffic: names two movers, version_flag and event: two that move the same traffic undo each other; keep one of them; ` + all},
		{"no mapping", `traffic: nginx`, "p.yaml:1:10: error: traffic: is \"nginx\", needs a mapping; write it as `key: value` lines; known keys: tolerance, version_flag, flag, event, exec, observe"},
		{"a near miss", `traffic: {version-flag: v}`, `p.yaml:1:11: error: traffic: unknown key "version-flag"; did you mean "version_flag"?`},
		{"observe false", `traffic: {observe: false}`, "p.yaml:1:20: error: traffic.observe: observe: false names no mover; write `observe: true`, or name another mover"},
		{"a tolerance without %", `traffic: {observe: true, tolerance: 5}`, "p.yaml:1:37: error: traffic.tolerance: 5 is out of range; write percentage points from 0.01% to 100%, as in `tolerance: 5%`"},
		{"a deployer that is no name", `traffic: {event: my deployer}`, `p.yaml:1:18: error: traffic.event: "my deployer" is no name; a deployer's name has 1 to 63 of letters, digits, - and _`},
		{"a template as a flag", `traffic: {version_flag: "{{service}}-v"}`, `p.yaml:1:25: error: traffic.version_flag: "{{service}}-v" is no name; a flag's key has no spaces and no {{…}}: it is used as written`},
		{"exec as a line", `traffic: {exec: ./set.sh 5}`, "p.yaml:1:17: error: traffic.exec: is \"./set.sh 5\", needs a mapping; write it as `key: value` lines; known keys: set, read"},
		{"exec without set", `traffic: {exec: {read: [r]}}`, "p.yaml:1:17: error: traffic.exec: needs the command that sets the share; write `set: [./set-weight.sh, \"{{percent}}\"]`"},
		{"a command as text", `traffic: {exec: {set: ./set.sh 5}}`, `p.yaml:1:23: error: traffic.exec.set: needs a list of arguments; write it as a list, an argument each: [./set-weight.sh, "{{percent}}"]; there is no shell`},
		{"an empty command", `traffic: {exec: {set: []}}`, `p.yaml:1:23: error: traffic.exec.set: is an empty command; write the command and its arguments, or remove the key`},
		{"an argument that is a list", `traffic: {exec: {set: [a, [b]]}}`, `p.yaml:1:27: error: traffic.exec.set[1]: is a list, needs text; write one value`},
		{"a misspelt placeholder", `traffic: {exec: {set: [a, "--w={{precent}}"]}}`, `p.yaml:1:32: error: traffic.exec.set[1]: unknown placeholder {{precent}}; did you mean "percent"?`},
		{"an open placeholder", `traffic: {exec: {set: [a, "{{percent"]}}`, `p.yaml:1:27: error: traffic.exec.set[1]: a placeholder is not closed, or not opened; write {{percent}}`},
		{"a command chosen by the release", `traffic: {exec: {set: ["./{{version}}/set"]}}`, `p.yaml:1:27: error: traffic.exec.set[0]: the command itself may not be chosen by a release; write the command as it is; pass values as arguments`},
		{"sticky", `traffic: {observe: true, sticky: true}`, `p.yaml:1:26: error: traffic: unknown key "sticky"; known here: tolerance, version_flag, flag, event, exec, observe`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, ok, got := parseMover(t, c.text)
			if diff := cmp.Diff(strings.Split(c.want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if ok != (c.name == "sticky") { // the mover itself is understood
				t.Errorf("usable: %v", ok)
			}
		})
	}
}

func TestAnUnusableMoverAlwaysHasAFinding(t *testing.T) {
	words := rapid.SampledFrom([]string{"version_flag", "flag", "event", "exec", "observe", "tolerance", "set", "read", "{", "}", "[", "]", ": ", ", ", "\"{{percent}}\"", "{{", "true", "x", "5%"})
	rapid.Check(t, func(rt *rapid.T) {
		text := "traffic: " + strings.Join(rapid.SliceOfN(words, 0, 12).Draw(rt, "words"), "")
		if _, _, ok, findings := parseMover(t, text); !ok && findings == "" {
			rt.Errorf("%q is refused without a word", text)
		}
	})
}
