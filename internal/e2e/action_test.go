//go:build e2e && unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action is a composite action of GitHub's, as far as it is needed here.
type action struct {
	Inputs map[string]struct {
		Default  string
		Required bool
	}
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, If, Shell, Run string
			Env                map[string]string
		}
	}
}

// expression is what GitHub replaces before a step runs.
var expression = regexp.MustCompile(`\$\{\{\s*([a-z-]+)\.([a-z.-]+)\s*\}\}`)

func readAction(t *testing.T) (a action) {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	if err == nil {
		err = yaml.Unmarshal(text, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// workflow is a job that uses the action, and what the runner gives it.
type workflow struct {
	temp, outputs, summary string // paths
	env                    []string
	program                string // "": the action builds one
}

func newWorkflow(t *testing.T) *workflow {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	f := &workflow{temp: temp, outputs: filepath.Join(temp, "outputs"), summary: filepath.Join(temp, "summary"), program: filepath.Join(bin, "serin")}
	f.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + temp, "GITHUB_ACTIONS=true", "GITHUB_ACTION_PATH=" + root, "RUNNER_TEMP=" + temp, "GITHUB_OUTPUT=" + f.outputs,
		"GITHUB_STEP_SUMMARY=" + f.summary, "GITHUB_SHA=4b825dc", "GITHUB_ACTOR=ada", "GITHUB_SERVER_URL=https://github.example", "GITHUB_REPOSITORY=shop/checkout", "GITHUB_RUN_ID=7"}
	return f
}

// uses runs the steps of the action as the runner does: expressions are replaced in env alone, a step after one that failed
// runs only if it always does. It returns the exit status of the step with the id release, and what all have said.
func (f *workflow) uses(t *testing.T, inputs map[string]string) (code int, said string) {
	t.Helper()
	a := readAction(t)
	inputs["serin"] = f.program
	for name := range inputs {
		if _, known := a.Inputs[name]; !known {
			t.Fatalf("the action has no input %s", name)
		}
	}
	failed := false
	for i, s := range a.Runs.Steps {
		if failed && s.If != "always()" {
			continue
		}
		script := write(t, "step.sh", "%s", s.Run)
		cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", script) // as GitHub runs `shell: bash`
		cmd.Dir, cmd.Env = f.temp, f.env
		for name, text := range s.Env {
			cmd.Env = append(cmd.Env, name+"="+expression.ReplaceAllStringFunc(text, func(found string) string {
				m := expression.FindStringSubmatch(found)
				if value, given := inputs[m[2]]; given {
					return value
				}
				return a.Inputs[m[2]].Default
			}))
		}
		if i == 0 && f.program == "" { // a build needs what builds before it have left
			cmd.Env = append(cmd.Env, "HOME="+os.Getenv("HOME"), "GOFLAGS="+os.Getenv("GOFLAGS"))
		}
		out, err := cmd.CombinedOutput()
		said += string(out)
		failed = failed || err != nil
		if s.ID == "release" {
			code = cmd.ProcessState.ExitCode()
		} else if err != nil {
			t.Errorf("step %d: %v: %s", i+1, err, out)
		}
	}
	return code, said
}

// output is what a later step of the job would get.
func (f *workflow) output(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(f.outputs)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if n, value, ok := strings.Cut(line, "="); ok && n == name {
			return value
		}
	}
	t.Errorf("no output %s in %s", name, text)
	return ""
}

func TestTheActionPutsNoInputIntoAScript(t *testing.T) {
	t.Parallel()
	a, used := readAction(t), map[string]bool{}
	if a.Runs.Using != "composite" {
		t.Errorf("it runs by %q", a.Runs.Using)
	}
	for _, s := range a.Runs.Steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("an expression becomes part of a script: %s", s.Run)
		}
		for _, text := range s.Env {
			for _, m := range expression.FindAllStringSubmatch(text, -1) {
				used[m[2]] = true
			}
		}
	}
	for name := range a.Inputs {
		if !used[name] {
			t.Errorf("input %s is used nowhere", name)
		}
	}
}

func TestTheActionReleasesAndTellsTheJobHowItEnded(t *testing.T) {
	t.Parallel()
	w, _ := newPipelines(t)
	w.serve(t)
	w.setFlags(t)
	given := func(service, version string, more ...string) map[string]string {
		inputs := map[string]string{"service": service, "version": version, "nats": w.nats[1], "token": token}
		for i := 0; i < len(more); i += 2 {
			inputs[more[i]] = more[i+1]
		}
		return inputs
	}
	t.Run("promoted, by a program that it builds", func(t *testing.T) {
		t.Parallel()
		f := newWorkflow(t)
		f.program = ""
		code, said := f.uses(t, given("good", "1.1.0"))
		if code != 0 || !strings.Contains(said, "::notice title=good 1.1.0 in production%3A promoted::") || f.output(t, "outcome") != "promoted" || f.output(t, "exit") != "0" {
			t.Errorf("exit status %d: %s", code, said)
		}
		rollout := f.output(t, "rollout")
		if accepted := w.story.one(t, "1.1.0", "rollout.promoted"); accepted.Data.Rollout != rollout || accepted.Data.Author != "ada" || accepted.Data.RunURL != "https://github.example/shop/checkout/actions/runs/7" {
			t.Errorf("%+v, rollout %s", accepted.Data, rollout)
		}
	})
	t.Run("rolled back", func(t *testing.T) {
		t.Parallel()
		f := newWorkflow(t)
		code, said := f.uses(t, given("bad", "1.2.0", "junit", "report.xml"))
		if code != 3 || f.output(t, "outcome") != "restored" || f.output(t, "failed-rule") != "up" || f.output(t, "step") != "1" || f.output(t, "exit") != "3" {
			t.Errorf("exit status %d: %s", code, said)
		}
		for _, want := range []string{"::group::step 1: 50 %25\n", "::error title=bad 1.2.0 in production%3A rolled back::up"} {
			if !strings.Contains(said, want) {
				t.Errorf("no %q in %s", want, said)
			}
		}
		for path, want := range map[string]string{f.summary: "### ❌ bad 1.2.0 in production: rolled back\n", filepath.Join(f.temp, "report.xml"): `<testcase classname="serin.production.bad" name="up">`} {
			if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("no %q in %s: %v", want, text, err)
			}
		}
	})
	t.Run("not waited for", func(t *testing.T) {
		t.Parallel()
		f := newWorkflow(t)
		if code, said := f.uses(t, given("slow", "1.3.0", "wait", "false")); code != 0 || f.output(t, "outcome") != "published" || f.output(t, "release-id") == "" {
			t.Errorf("exit status %d: %s", code, said)
		}
	})
	t.Run("with secrets in files", func(t *testing.T) {
		t.Parallel()
		f := newWorkflow(t)
		code, said := f.uses(t, given("slow", "1.4.0", "creds", "no credentials", "token", ""))
		if code != 10 || f.output(t, "exit") != "10" || f.output(t, "outcome") != "NATS_cannot_be_reached" || strings.Contains(said, "no credentials\n") {
			t.Errorf("exit status %d: %s", code, said)
		}
		if left, err := filepath.Glob(filepath.Join(f.temp, "serin-action-secrets", "*")); err != nil || len(left) > 0 {
			t.Errorf("secrets are left: %v, %v", left, err)
		}
	})
	t.Run("with inputs that mean to harm", func(t *testing.T) {
		t.Parallel()
		for name, harm := range map[string]string{
			"service": `"; touch HARMED #`, "version": "$(touch HARMED)`touch HARMED`\n::error::x", "environment": "';touch HARMED;'", "wait": "true; touch HARMED",
			"timeout": "1s --junit=HARMED", "prefix": "x\ntouch HARMED", "id": "--junit=HARMED", "commit": "&touch HARMED&", "junit": "/no/such/folder/$(touch HARMED)",
		} {
			f := newWorkflow(t)
			f.uses(t, given("nosuch", "1.5.0", "accept-timeout", "1s", name, harm))
			if found, err := filepath.Glob(filepath.Join(f.temp, "*HARMED*")); err != nil || len(found) > 0 {
				t.Errorf("%s %q has done harm: %v, %v", name, harm, found, err)
			}
		}
	})
}
