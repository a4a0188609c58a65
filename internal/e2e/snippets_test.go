//go:build e2e && unix

package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func snippet(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../deployments/examples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// snippetScripts are the scripts of the snippets for CI systems, each as its runner would run it.
func snippetScripts(t *testing.T) map[string]string {
	t.Helper()
	var gitlab struct {
		Release struct {
			Script []string
		}
	}
	if err := yaml.Unmarshal(snippet(t, "gitlab-ci.yml"), &gitlab); err != nil {
		t.Fatal(err)
	}
	var buildkite struct{ Steps []struct{ Command string } }
	if err := yaml.Unmarshal(snippet(t, "buildkite.yml"), &buildkite); err != nil {
		t.Fatal(err)
	}
	jenkins := regexp.MustCompile(`sh '([^']+)'`).FindSubmatch(snippet(t, "Jenkinsfile"))
	return map[string]string{"gitlab": strings.Join(gitlab.Release.Script, "\n"), "buildkite": buildkite.Steps[0].Command, "jenkins": string(jenkins[1])}
}

func TestTheSnippetsForCISystemsFailWhereTheReleaseIsTakenBack(t *testing.T) {
	t.Parallel()
	w, _ := newPipelines(t)
	w.serve(t)
	w.setFlags(t)
	for name, script := range snippetScripts(t) {
		if !strings.Contains(script, "checkout") && name != "gitlab" {
			t.Fatalf("%s: no service in %q", name, script)
		}
		run := func(service, version string) *process {
			return w.step(t, strings.ReplaceAll(script, "checkout", service)+" || code=$?; cat serin.xml; [ ! -e serin.env ] || cat serin.env; exit ${code:-0}", "SERVICE="+service,
				"CI_COMMIT_TAG="+version, "CI_COMMIT_SHA=4b825dc", "GITLAB_USER_LOGIN=ada", "CI_JOB_URL=https://ci.example/7",
				"BUILDKITE_TAG="+version, "BUILDKITE_COMMIT=4b825dc", "BUILDKITE_BUILD_CREATOR=Ada L", "BUILDKITE_BUILD_URL=https://ci.example/7",
				"TAG_NAME="+version, "GIT_COMMIT=4b825dc", "BUILD_URL=https://ci.example/7")
		}
		t.Run(name, func(t *testing.T) {
			words := []string{`failures="1"`, "</testsuite>"}
			if name == "gitlab" {
				words = append(words, "SERIN_OUTCOME=restored\n", "SERIN_FAILED_RULE=up\n", "SERIN_EXIT=3\n")
			}
			exits(t, run("bad", "1.1.0-"+name), 3, words...)
			exits(t, run("good", "1.1.0-"+name), 0, `failures="0"`, "promoted")
		})
	}
}
