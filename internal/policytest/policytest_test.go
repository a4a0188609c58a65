package policytest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/policytest"
)

const policy = `service: checkout
traffic: {version_flag: checkout-version}
steps:
  - {weight: 5, bake: 2m}
  - {weight: 25, bake: 2m, approval: manual}
  - {weight: 100, bake: 2m}
defaults: {interval: 30s, window: 1m, for: 30s}
rules:
  - name: error-rate
    bad: http_requests_total{version="{{version}}",code="500"}
    total: http_requests_total{version="{{version}}"}
    max: 5%
`

const head = `policy: policy.yaml
interval: 30s
release: {version: 1.1.0, stable: 1.0.0}
input_series:
  - series: http_requests_total{version="1.0.0",code="200"}
    values: 0+1000x60
  - series: http_requests_total{version="1.1.0",code="200"}
    values: 0+100x60
tests:
`

// files opens what a test has written.
func files(texts map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if text, ok := texts[name]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

// results runs tests that are written below the common head.
func results(t *testing.T, tests string) []policytest.Result {
	t.Helper()
	file, findings := policytest.Parse("a_test.yaml", []byte(head+tests), files(map[string]string{"policy.yaml": policy}))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return policytest.Runner{}.Run(t.Context(), []policytest.File{file})
}

// messages are those of all failures.
func messages(rs []policytest.Result) []string {
	var out []string
	for _, r := range rs {
		for _, f := range r.Failures {
			out = append(out, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Message))
		}
	}
	return out
}

func TestTheWholeCourseIsCompared(t *testing.T) {
	const good = `  - name: course
    commands: [{at: 5m10s, do: approve}]
    course:
      - {at: 0s, step: 5}
      - {at: 2m, step: 25}
      - {at: 4m, awaits: approval}
      - {at: 5m30s, step: 100}
    outcome: promoted
    ended: 7m30s
`
	for name, tt := range map[string]struct {
		replace, with string
		want          []string
	}{
		"as it is":          {"", "", nil},
		"another step":      {"2m, step: 25", "2m, step: 100", []string{"14:9 course: want {at: 2m, step: 100}, got {at: 2m, step: 25}"}},
		"another time":      {"2m, step: 25", "2m30s, step: 25", []string{"14:9 course: want {at: 2m30s, step: 25}, got {at: 2m, step: 25}"}},
		"a missing line":    {"      - {at: 2m, step: 25}\n", "", []string{"14:9 course: want {at: 4m, awaits: approval}, got {at: 2m, step: 25}"}},
		"a missing end":     {"      - {at: 5m30s, step: 100}\n", "", []string{"15:9 course: want nothing more, got {at: 5m30s, step: 100}"}},
		"a line too much":   {"    outcome", "      - {at: 7m, step: 0}\n    outcome", []string{"17:9 course: want {at: 7m, step: 0}, got nothing more until 30m"}},
		"no approvals":      {"      - {at: 4m, awaits: approval}\n", "", nil},
		"another outcome":   {"promoted", "restored", []string{"17:5 outcome: want restored, got promoted"}},
		"another end":       {"7m30s", "8m", []string{"18:5 ended: want 8m, got 7m30s"}},
		"a cause that none": {"    ended", "    cause: rules\n    ended", []string{"18:5 cause: want rules, got none"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := messages(results(t, strings.Replace(good, tt.replace, tt.with, 1)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimesOfACourseMayDifferWithinATolerance(t *testing.T) {
	const test = `  - name: course
    within: %s
    until: 5m
    course: [{at: 0s, step: 5}, {at: 2m30s, step: 25}]
`
	if got := messages(results(t, fmt.Sprintf(test, "30s"))); got != nil {
		t.Errorf("failures %q", got)
	}
	if got := messages(results(t, fmt.Sprintf(test, "29s"))); len(got) != 1 {
		t.Errorf("failures %q", got)
	}
}

func TestEveryExpectationOfAReadingIsCompared(t *testing.T) {
	for want, message := range map[string]string{
		"healthy":                        "",
		"unhealthy":                      "want unhealthy, got healthy (0 % ≤ 5 % (0 of 200 requests))",
		"{verdict: no_data}":             "want no data, got healthy (0 % ≤ 5 % (0 of 200 requests))",
		"{value: 0, bad: 0, total: 200}": "",
		"{value: 1%}":                    "want value 0.01, got 0",
		"{total: 200.0001}":              "",
		"{total: 200.001}":               "want total 200.001, got 200",
		"{stable: 1}":                    "want stable 1, got none",
		"{value: NaN}":                   "want value NaN, got 0",
		"{value: -Inf}":                  "want value -Inf, got 0",
		"{limit: 5%, samples: 200}":      "",
		"{reason: of 200}":               "",
		"{reason: of 300}":               `want the reason "of 300", got "0 % ≤ 5 % (0 of 200 requests)"`,
		"{lost: true}":                   "want lost true, got false",
	} {
		t.Run(want, func(t *testing.T) {
			var wanted []string
			if message != "" {
				wanted = []string{"13:17 error-rate at 1m30s: " + message}
			}
			got := messages(results(t, "  - name: reading\n    verdicts:\n      - at: 1m30s\n        rules: {error-rate: "+want+"}\n"))
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotReadFailsAVerdict(t *testing.T) {
	got := messages(results(t, "  - name: at the very beginning\n    confirm_after: 10s\n    verdicts: [{at: 5s, rules: {error-rate: healthy}}]\n"))
	if len(got) != 1 || !strings.HasSuffix(got[0], "want healthy, but it is not read: the new version has no confirmed traffic yet") {
		t.Errorf("failures %q", got)
	}
}

func TestAPolicyIsTakenFromTheFileBeside(t *testing.T) {
	two := policy + "---\n" + strings.Replace(policy, "service: checkout", "service: cart", 1)
	opened := files(map[string]string{"shop/policies/two.yaml": two, "shop/policies/one.yaml": policy})
	const test = "release: {version: 1.1.0}\ntests: [{name: a, outcome: running}]\n"
	for policy, want := range map[string]string{
		"policies/one.yaml":                "",
		"policies/two.yaml\nservice: cart": "",
		"policies/two.yaml":                "shop/a_test.yaml:1:9: error: policy: the file has several policies; add `service:` or `environment:`; it has production/checkout, production/cart",
		"policies/two.yaml\nservice: pay":  "shop/a_test.yaml:1:9: error: policy: the file has no policy of this service and environment; it has production/checkout, production/cart",
		"two.yaml":                         "shop/a_test.yaml:1:9: error: policy: file does not exist; name the policy as seen from this file",
	} {
		t.Run(policy, func(t *testing.T) {
			got := ""
			if _, findings := policytest.Parse("shop/a_test.yaml", []byte("policy: "+policy+"\n"+test), opened); findings.Err() != nil {
				got = findings.Error()
			}
			if got != want {
				t.Errorf("findings %s\nwant     %s", got, want)
			}
		})
	}
}

func TestATestThatIsWrittenWronglyIsRefusedWithItsCure(t *testing.T) {
	for test, want := range map[string]string{
		"":                               "1:1: error: the file is empty; write `policy:` and `tests:`",
		"policy: policy.yaml":            "1:1: error: `tests` is missing; write a list: - name: …",
		"policy: policy.yaml\ntests: []": "2:8: error: tests: there are no tests; write at least one: - name: …",
		head + "  - {name: a, outcome: running}\n---\npolicy: a":                                                                   "a file of tests is one document; write a file for each policy",
		head + "  - {name: a, interval: 0s, outcome: promoted}":                                                                    "there is no time between samples; write for example 30s",
		head + "  - {name: a, start: soon, outcome: promoted}":                                                                     `"soon" is no duration; write for example -10m: ten minutes before the release`,
		head + "  - {name: a, release: {stable: 1}, outcome: promoted}":                                                            "`version` is missing; add `version: 1.1.0`",
		head + "  - {name: a, release: {version: 1, at: noon}, outcome: promoted}":                                                 `"noon" is no time; write for example 2026-03-02T09:00:00Z`,
		head + "  - {name: a, commands: [{at: 1m, do: abort, version: 2}], outcome: promoted}":                                     "only `do: release` has a version; remove it",
		head + "  - {name: a, course: []}":                                                                                         "the course is empty; write for example [{at: 0s, step: 5}], or remove the key",
		head + "  - {name: a, course: [{at: 1m, step: 5, hold: outage}]}":                                                          "a line of a course says one thing; write for example {at: 5m, step: 25}; known: step, hold, awaits, off",
		head + "  - {name: a, outcome: running, input_series: [{series: a, values: 1}, {series: a, values: 2}]}":                   "the series {__name__=\"a\"} is written twice; keep one of them",
		head + "  - {name: a, outcome: running, input_series: [{series: a, values: 1 2 x}]}":                                       "known",
		strings.Replace(head, "release: {version: 1.1.0, stable: 1.0.0}\n", "", 1) + "  - {name: a, outcome: promoted}":            "`release` is missing; add `release: {version: 1.1.0, stable: 1.0.0}`, here or at the head of the file",
		strings.Replace(head, "interval: 30s", "interval: never", 1) + "  - {name: a, outcome: running}\n  - {name: b, ended: 1m}": `2:11: error: interval: "never" is no duration`,
	} {
		t.Run(test, func(t *testing.T) {
			_, findings := policytest.Parse("a_test.yaml", []byte(test), files(map[string]string{"policy.yaml": policy}))
			if len(findings) != 1 {
				t.Errorf("%d findings, want one:\n%s", len(findings), findings.Error())
			}
			if want != "known" && !strings.Contains(findings.Error(), want) {
				t.Errorf("findings\n%s\nwant\n%s", findings.Error(), want)
			}
		})
	}
}

func TestTestsAreSelectedByNameAndKeepTheirOrder(t *testing.T) {
	var tests strings.Builder
	for i := range 40 {
		fmt.Fprintf(&tests, "  - {name: test %02d, outcome: running, until: 1m}\n", i)
	}
	file, findings := policytest.Parse("a_test.yaml", []byte(head+tests.String()), files(map[string]string{"policy.yaml": policy}))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range (policytest.Runner{Select: regexp.MustCompile("[12]5$")}).Run(t.Context(), []policytest.File{file}) {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"test 15", "test 25"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTestsThatAreCutOffFail(t *testing.T) {
	file, _ := policytest.Parse("a_test.yaml", []byte(head+"  - {name: a, outcome: promoted}\n"), files(map[string]string{"policy.yaml": policy}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := (policytest.Runner{}).Run(ctx, []policytest.File{file}); policytest.Failed(got) != 1 {
		t.Errorf("results %+v", got)
	}
}

// hostile has everything that a report must not take as its own.
const hostile = `  - name: "]]></testcase> & \"\u001b[31m\n::error::"
    verdicts: [{at: 90s, rules: {error-rate: {reason: "\u0001 </failure> ✓"}}}]
`

func TestReportsEscapeWhatTestsSay(t *testing.T) {
	rs := results(t, hostile)
	var text, report bytes.Buffer
	if err := policytest.Text(&text, rs); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\x01") || strings.Contains(text.String(), "\n::error::") {
		t.Errorf("text %q", text.String())
	}
	if err := policytest.JUnit(&report, rs); err != nil {
		t.Fatal(err)
	}
	var depth, cases int
	for dec := xml.NewDecoder(&report); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("no XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth++; token.Name.Local == "testcase" {
				cases++
			}
		case xml.EndElement:
			depth--
		}
	}
	if cases != 1 || depth != 0 {
		t.Errorf("%d cases, depth %d", cases, depth)
	}
}

func TestJSONIsOneArrayWithTheReadingsThatDiffer(t *testing.T) {
	var out bytes.Buffer
	if err := policytest.JSON(&out, results(t, hostile)); err != nil {
		t.Fatal(err)
	}
	var got []struct {
		File     string `json:"file"`
		Line     int    `json:"line"`
		Passed   bool   `json:"passed"`
		Failures []struct {
			Readings []struct {
				Reading struct {
					Total float64 `json:"total"`
				} `json:"reading"`
			} `json:"readings"`
		} `json:"failures"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].File != "a_test.yaml" || got[0].Line != 10 || got[0].Passed || got[0].Failures[0].Readings[0].Reading.Total != 200 {
		t.Errorf("got %+v", got)
	}
	out.Reset()
	if err := policytest.JSON(&out, nil); err != nil || strings.TrimSpace(out.String()) != "[]" {
		t.Errorf("nothing is %q", out.String())
	}
}
