package policytest

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// reader reads one file.
type reader struct {
	file   File
	shared shared
}

// shared is what the head of a file says for all its tests.
type shared struct {
	interval time.Duration
	release  *release // nil: each test has its own
	series   []Series
}

// defaultInterval lies between the samples of a series, as in promtool.
const defaultInterval = time.Minute

// Parse reads a file of tests and the policy it names, which open reads. With findings that are errors the file must not
// be run; findings of the policy are among them.
func Parse(name string, text []byte, open func(path string) ([]byte, error)) (File, diag.Findings) {
	r := reader{file: File{Name: name}}
	f, docs := yamldoc.Parse(name, text)
	if len(docs) == 0 && len(f.Findings) == 0 {
		f.Findings = append(f.Findings, diag.Finding{Position: diag.Position{File: name, Line: 1, Column: 1}, Severity: diag.Error,
			Message: "the file is empty", Cure: "write `policy:` and `tests:`"})
	}
	var policy diag.Findings
	for i, doc := range docs {
		if i > 0 {
			doc.Errorf("write a file for each policy", "a file of tests is one document")
			break
		}
		policy = r.read(doc, open)
	}
	return r.file, append(f.Findings.Sorted(), policy...)
}

func (r *reader) read(doc yamldoc.Value, open func(string) ([]byte, error)) diag.Findings {
	m := doc.Map("policy", "service", "environment", "interval", "release", "input_series", "tests")
	if !m.IsMap() {
		return nil
	}
	findings, ok := r.readPolicy(m, open)
	r.shared = shared{interval: interval(m.Get("interval"), defaultInterval), series: readSeries(m.Get("input_series"))}
	if m.Has("release") {
		r.shared.release = r.readRelease(m.Get("release"))
	}
	if !required(m, "tests", "write a list: - name: …") || !ok {
		return findings
	}
	items := m.Get("tests").List()
	if m.Get("tests").IsList() && len(items) == 0 {
		m.Get("tests").Errorf("write at least one: - name: …", "there are no tests")
	}
	names := map[string]bool{}
	for _, item := range items {
		if t, ok := r.readTest(item); ok {
			if names[t.Name] {
				item.Errorf("give each test a name of its own", "two tests are named %q", t.Name)
			}
			names[t.Name] = true
			r.file.Tests = append(r.file.Tests, t)
		}
	}
	return findings
}

// readPolicy reads the policy that is tested, beside the file of tests.
func (r *reader) readPolicy(m yamldoc.Map, open func(string) ([]byte, error)) (diag.Findings, bool) {
	if !required(m, "policy", "add `policy: checkout.yaml`, seen from this file") {
		return nil, false
	}
	path, ok := m.Get("policy").String()
	if !ok {
		return nil, false
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.file.Name), path)
	}
	text, err := open(path)
	if err != nil {
		m.Get("policy").Errorf("name the policy as seen from this file", "%v", unwrapped(err))
		return nil, false
	}
	policies, findings := deployments.ParsePolicies(path, text)
	findings = slices.DeleteFunc(findings, func(f diag.Finding) bool { return f.Severity == diag.Warning }) // serin check tells them
	if findings.Err() != nil {
		return findings, false
	}
	return nil, r.choose(m, policies)
}

// unwrapped is the error without the path that the library puts before it.
func unwrapped(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// choose picks the policy of a file by service and environment.
func (r *reader) choose(m yamldoc.Map, policies []deployments.Policy) bool {
	service, _ := m.Get("service").String()
	environment, _ := m.Get("environment").String()
	var slots []string
	var found []deployments.Policy
	for _, p := range policies {
		slots = append(slots, p.Slot.String())
		if (service == "" || service == p.Service) && (environment == "" || environment == p.Environment) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 1:
		r.file.Policy = found[0]
		return true
	case len(found) == 0:
		m.Get("policy").Errorf("it has "+strings.Join(slots, ", "), "the file has no policy of this service and environment")
	default:
		m.Get("policy").Errorf("add `service:` or `environment:`; it has "+strings.Join(slots, ", "), "the file has several policies")
	}
	return false
}

func (r *reader) readTest(v yamldoc.Value) (Test, bool) {
	m := v.Map("name", "interval", "start", "input_series", "release", "confirm_after", "commands", "outages", "until", "within",
		"verdicts", "course", "outcome", "cause", "failed", "ended")
	if !m.IsMap() || !required(m, "name", "add `name: errors take it back`") {
		return Test{}, false
	}
	t := Test{At: v.Pos()}
	t.Name, _ = m.Get("name").String()
	r.readWorld(m, &t)
	if !slices.ContainsFunc([]string{"verdicts", "course", "outcome", "cause", "failed", "ended"}, m.Has) && !m.Strange() {
		v.Errorf("add `verdicts:`, `course:` or `outcome:`", "the test %q expects nothing", t.Name)
	}
	t.Verdicts = r.readVerdicts(m.Get("verdicts"))
	t.Course = r.readCourse(m.Get("course"))
	t.End = r.readEnd(m)
	t.Within = duration(m.Get("within"), 0)
	latest := t.latest()
	if t.Until = duration(m.Get("until"), latest); t.Until < t.named() {
		m.Get("until").Errorf("write a later time, or remove the key", "the test ends before the last time it names")
	}
	return t, true
}

// latest is how long a test goes on that does not say so: while there are samples, and until the last time it names.
func (t Test) latest() time.Duration {
	end := t.named()
	for _, s := range t.Series {
		end = max(end, s.Start+time.Duration(len(s.Values)-1)*s.Interval)
	}
	if end == 0 {
		return time.Hour
	}
	return end
}

// named is the last time that a test names.
func (t Test) named() time.Duration {
	var end time.Duration
	for _, l := range t.Verdicts {
		end = max(end, l.At)
	}
	for _, m := range t.Course {
		end = max(end, m.At)
	}
	for _, h := range t.Happenings {
		end = max(end, h.At)
	}
	if t.End.Ended != nil {
		end = max(end, *t.End.Ended)
	}
	return end
}

// required adds a finding when a key is missing, unless an unknown key may be a misspelling of it.
func required(m yamldoc.Map, key, cure string) bool {
	if !m.Has(key) && !m.Strange() {
		m.Errorf(cure, "`%s` is missing", key)
	}
	return m.Has(key)
}

// duration reads a duration, or takes the default where none is written.
func duration(v yamldoc.Value, otherwise time.Duration) time.Duration {
	if d, ok := v.Duration(); ok {
		return d
	}
	return otherwise
}

// moment reads a required time.
func moment(m yamldoc.Map, key string) (time.Duration, bool) {
	if !required(m, key, "add `"+key+": 3m`, since the release") {
		return 0, false
	}
	return m.Get(key).Duration()
}
