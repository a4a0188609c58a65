package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completes is what a shell would offer behind a command line, and cobra's directive.
func completes(t *testing.T, env Env, args ...string) ([]string, string) {
	t.Helper()
	var out bytes.Buffer
	env.Stdout, env.Stderr = &out, &bytes.Buffer{}
	if code := run(t.Context(), append([]string{"__completeNoDesc"}, args...), env); code != exitOK {
		t.Fatalf("%q: status %d", args, code)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

func TestShellsCompleteWhatARunningSerinKnows(t *testing.T) {
	p := newPast(t)
	p.planned()
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"services", []string{"get", "--data", "data", ""}, []string{"checkout"}},
		{"services that begin so", []string{"status", "--data", "data", "ch"}, []string{"checkout"}},
		{"no service begins so", []string{"status", "--data", "data", "x"}, nil},
		{"of another environment there is none", []string{"abort", "--data", "data", "--env", "staging", ""}, nil},
		{"rollouts", []string{"explain", "--data", "data", ""}, []string{"checkout-1.2-cc"}},
		{"either", []string{"wait", "--data", "data", ""}, []string{"checkout", "checkout-1.2-cc"}},
		{"a version is nobody's to know", []string{"release", "--data", "data", "checkout", ""}, nil},
		{"environments", []string{"history", "--data", "data", "--env", ""}, []string{"production"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, directive := completes(t, p.env, c.args...); !slices.Equal(got, c.want) || directive != ":4" {
				t.Errorf("%q completes to %q %s, want %q and no files", c.args, got, directive, c.want)
			}
		})
	}
}

func TestCompletionReadsTheConfigurationFile(t *testing.T) {
	p := newPast(t)
	p.planned()
	if err := os.WriteFile(p.env.Path("serin.yaml"), []byte("data: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := completes(t, p.env, "get", ""); !slices.Equal(got, []string{"checkout"}) {
		t.Errorf("%q", got)
	}
	if got, _ := completes(t, p.env, "get", "--config", "missing.yaml", ""); len(got) != 0 {
		t.Errorf("without the file that was named: %q", got)
	}
}

func TestWithoutASerinShellsAreToldNothingAndSoon(t *testing.T) {
	env := Env{Getenv: func(string) string { return "" }, Now: time.Now, Dir: t.TempDir()}
	begin := time.Now()
	if got, _ := completes(t, env, "get", ""); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got, _ := completes(t, env, "get", "--nats", "nats://192.0.2.1:4222", ""); len(got) != 0 { // nobody's address
		t.Errorf("%q", got)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestPoliciesAreCompletedAsFiles(t *testing.T) {
	env := Env{Getenv: func(string) string { return "" }, Now: time.Now, Dir: t.TempDir()}
	for _, command := range []string{"check", "test"} {
		if got, directive := completes(t, env, command, ""); !slices.Equal(got, []string{"yaml", "yml"}) || directive != ":8" {
			t.Errorf("%s completes to %q %s, want files that end in .yaml and .yml", command, got, directive)
		}
	}
}

func TestEveryCompletedOutputIsOneTheCommandKnows(t *testing.T) {
	env := Env{Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Getenv: func(string) string { return "" }, Now: time.Now, Dir: t.TempDir()}
	if err := os.WriteFile(env.Path("1"), nil, 0o600); err != nil { // for commands that read files first
		t.Fatal(err)
	}
	tried := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.Flags().Lookup("output") == nil {
			return
		}
		args := strings.Fields(cmd.CommandPath())[1:]
		for n := len(args); cmd.Args != nil && cmd.Args(cmd, args[n:]) != nil && len(args) < n+3; {
			args = append(args, "1")
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Annotations[cobra.BashCompOneRequiredFlag] != nil {
				args = append(args, "--"+f.Name+"=1")
			}
		})
		var said bytes.Buffer
		env.Stderr = &said
		code := run(t.Context(), append(args, "-o", "bogus"), env)
		_, known, found := strings.Cut(said.String(), "is not one of ")
		if code != exitUsage || !found {
			t.Errorf("%q -o bogus: status %d, %s", args, code, said.String())
			return
		}
		known, _, _ = strings.Cut(known, "\n")
		got, _ := completes(t, env, append(slices.Clone(args), "-o", "")...)
		if want := strings.Split(known, ", "); !slices.Equal(got, want) {
			t.Errorf("%q completes -o to %q, and knows %q: see outputs in complete.go", args, got, want)
		}
		tried++
	}
	walk(newRoot(env))
	if tried < 12 {
		t.Errorf("%d commands have -o", tried)
	}
}

func TestHelpNamesTheShells(t *testing.T) {
	env := Env{Stdin: strings.NewReader(""), Stderr: &bytes.Buffer{}, Getenv: func(string) string { return "" }, Now: time.Now, Dir: t.TempDir()}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var out bytes.Buffer
		env.Stdout = &out
		if code := run(t.Context(), []string{"completion", shell}, env); code != exitOK || !strings.Contains(out.String(), "serin") {
			t.Errorf("%s: status %d", shell, code)
		}
	}
	var out bytes.Buffer
	env.Stdout = &out
	if run(t.Context(), []string{"--help"}, env); !strings.Contains(out.String(), "\n  completion ") {
		t.Error("the help of serin does not name completion")
	}
}
