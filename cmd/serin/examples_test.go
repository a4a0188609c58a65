package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/steps"
)

// exampleLines are the lines of all commands' examples, by the command's path.
func exampleLines() map[string][]string {
	out := map[string][]string{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			out[cmd.CommandPath()] = append(out[cmd.CommandPath()], strings.TrimSuffix(line, "\n"))
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(Env{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}))
	return out
}

// argsOf splits an example as a shell does that knows no more than quotes, comments, redirections and pipes.
func argsOf(line string) []string {
	var args []string
	quote, word, started := rune(0), "", false
	for _, r := range line + " " {
		switch {
		case quote == 0 && (r == '"' || r == '\''):
			quote, started = r, true
		case r == quote:
			quote = 0
		case quote == 0 && strings.ContainsRune("|&;>", r), quote == 0 && r == '#' && !started:
			return args
		case quote == 0 && r == ' ':
			if started {
				args = append(args, word)
			}
			word, started = "", false
		default:
			word, started = word+string(r), true
		}
	}
	return args
}

// TestExamplesAreCommandLinesOfTheirCommand holds every example to what the command takes: its own name, flags that exist
// with values they can have, and arguments as many as it wants.
func TestExamplesAreCommandLinesOfTheirCommand(t *testing.T) {
	for path, lines := range exampleLines() {
		for _, line := range lines {
			if wrong := wrongExample(path, line); wrong != "" {
				t.Errorf("%s: %q: %s", path, line, wrong)
			}
		}
	}
}

func TestWrongExamplesAreFound(t *testing.T) {
	for line, want := range map[string]string{
		"  serin report --since 90d -o md": "", "  # a comment": "", "": "", "serin report": "write it as", "  report": "write it as",
		"  serin report --until 3d": "no flag --until", "  serin history checkout": "it is of serin history", "  serin report a b": "accepts at most 1",
		"  serin report --rollouts=perhaps": "invalid argument",
	} {
		if got := wrongExample("serin report", line); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// wrongExample says what is wrong with a line of a command's example, or "".
func wrongExample(path, line string) string {
	text := strings.TrimSpace(line)
	if text == "" || strings.HasPrefix(text, "#") {
		return ""
	}
	args := argsOf(text)
	if !strings.HasPrefix(line, "  ") || len(args) == 0 || args[0] != "serin" {
		return "write it as `  serin …`"
	}
	if wrong := unknown(args[1:]); wrong != "" {
		return wrong
	}
	root := newRoot(Env{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }})
	cmd, rest, err := root.Find(args[1:])
	if err == nil && cmd.CommandPath() != path {
		return "it is of " + cmd.CommandPath()
	}
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestEachOfTheseCommandsHasAnExample(t *testing.T) {
	all := exampleLines()
	for _, name := range []string{"report", "history", "explain", "replay", "status", "check", "test", "init", "import prometheus", "schema", "setup"} {
		if len(all["serin "+name]) == 0 {
			t.Errorf("serin %s has no example", name)
		}
	}
}

func TestArgumentsOfAnExample(t *testing.T) {
	for line, want := range map[string][]string{
		`serin schema > a.json`: {"serin", "schema"}, `serin test --run "taken back" a`: {"serin", "test", "--run", "taken back", "a"},
		`serin status # all`: {"serin", "status"}, `serin x --reason ""`: {"serin", "x", "--reason", ""},
	} {
		if got := argsOf(line); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// TestExamplesRun runs those that need no server but the journal's: against the past of a service, and its policies.
func TestExamplesRun(t *testing.T) {
	p := newPast(t)
	r := steps.Rollout{ID: "checkout-1.4.2-0a1b2c3d", Version: "1.4.2", Stable: "1.4.1", Phase: steps.Pending}
	p.write(0, r)
	r.Phase, r.Outcome = steps.Ended, steps.NeverExposed
	p.write(1, r)
	exampleFiles(t, p.env)
	ran := 0
	for _, name := range []string{"report", "history", "explain", "replay", "status", "check", "test", "import prometheus", "init", "schema", "setup"} {
		for _, line := range exampleLines()["serin "+name] {
			args := argsOf(strings.TrimSpace(line))[1:]
			if strings.Contains(line, "://") { // needs a server that is not here
				continue
			}
			if slices.Contains([]string{"report", "history", "explain", "replay", "status"}, args[0]) {
				args = append(args, "--data", "data")
			}
			if args[0] == "init" { // it overwrites nothing
				_ = os.Remove(p.env.Path("checkout.yaml"))
			}
			p.out.Reset()
			if code := run(t.Context(), args, p.env); code != exitOK {
				t.Errorf("%s: exit status %d: %s", line, code, p.out)
			}
			ran++
		}
	}
	if ran < 20 {
		t.Errorf("%d examples ran", ran)
	}
}

// exampleFiles are those that examples name.
func exampleFiles(t *testing.T, env Env) {
	t.Helper()
	const policy = "service: checkout\ntraffic: {version_flag: checkout-version}\nrules: [{uses: http/error-rate, max: 5%}]\n"
	const tests = "policy: %s\nrelease: {version: 1.1.0}\ntests:\n  - {name: without traffic it is not taken back, outcome: never_exposed}\n"
	const alerts = `groups: [{name: a, rules: [{alert: Errors, expr: 'rate(errors_total{version="canary"}[5m]) > 1', for: 1m}]}]` + "\n"
	if err := os.Mkdir(env.Path("policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"checkout.yaml": policy, "policies/checkout.yaml": policy, "rules.yml": alerts,
		"checkout_test.yaml": strings.ReplaceAll(tests, "%s", "checkout.yaml"), "policies/checkout_test.yaml": strings.ReplaceAll(tests, "%s", "checkout.yaml"),
	} {
		if err := os.WriteFile(env.Path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
