package promrules

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/internal/lab/promlab"
)

var files = flag.String("rules", "", "a directory of Prometheus' rule files, to hold each of their alerts against the rule manager")

// TestTheAlertsOfFilesFireExactlyWhenPrometheusWould runs both side by side on random series of the names and labels that the
// alerts of -rules ask for. A `for` that is longer than a case is made shorter.
func TestTheAlertsOfFilesFireExactlyWhenPrometheusWould(t *testing.T) {
	if *files == "" {
		t.Skip("no directory of rule files is named (-rules)")
	}
	w := newWorld(t)
	var seen tally
	wrong, unread := 0, 0
	err := filepath.WalkDir(*files, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || wrong >= 20 {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, ok := alerts(text)
		if !ok {
			unread++
		}
		for i, r := range found {
			d := newDice(*seed + uint64(i))
			if err := seen.holds(t, w, d, written(d, r), asked(d, r.Expr)); err != nil {
				wrong++
				t.Errorf("%s: %s: %v", path, r.Alert, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v; %d files are not YAML", seen, unread)
}

// alert is what is read of an alerting rule.
type alert struct {
	Alert, Expr, For string
	Labels           map[string]string
}

// alerts are the alerting rules of a file, wherever they stand in it; false where it is not YAML.
func alerts(text []byte) ([]alert, bool) {
	var out []alert
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		switch err := dec.Decode(&n); {
		case errors.Is(err, io.EOF):
			return out, true
		case err != nil:
			return out, false
		}
		walk(&n, &out)
	}
}

func walk(n *yaml.Node, out *[]alert) {
	var a alert
	if n.Kind == yaml.MappingNode && n.Decode(&a) == nil && a.Alert != "" && a.Expr != "" {
		*out = append(*out, a)
		return
	}
	for _, c := range n.Content {
		walk(c, out)
	}
}

func written(d *dice, r alert) rule {
	out := rule{expr: r.Expr, every: 30 * time.Second, wait: d.pick("", "30s", "1m"), keep: d.pick("", "", "1m")}
	if wait, err := model.ParseDuration(r.For); err == nil && time.Duration(wait) <= 3*time.Minute {
		out.wait = r.For
	}
	for name, value := range r.Labels {
		if !strings.Contains(value, "alue") { // a label made of the value is refused where there is a `for`
			out.labels = append(out.labels, [2]string{name, value})
		}
	}
	slices.SortFunc(out.labels, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return out
}

// asked draws series that an expression asks for: of each selector's name, with labels that its matchers take, and with those that the
// expression groups by.
func asked(d *dice, text string) []source {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil
	}
	grouping := map[string]bool{"job": true}
	numbers := []float64{0, 1}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			for _, l := range n.Grouping {
				grouping[l] = true
			}
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				for _, l := range slices.Concat(n.VectorMatching.MatchingLabels, n.VectorMatching.Include) {
					grouping[l] = true
				}
			}
		case *parser.NumberLiteral:
			numbers = append(numbers, n.Val, n.Val*1.01, n.Val/2)
		}
		return nil
	})
	var out []source
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		for range 3 {
			if ok && d.chance(75) {
				out = append(out, drawn(d, s, grouping, numbers))
			}
		}
		return nil
	})
	return distinct(out)
}

func drawn(d *dice, s *parser.VectorSelector, grouping map[string]bool, numbers []float64) source {
	values := map[string]string{"i": d.pick("0", "1", "2")}
	for l := range grouping {
		if l != "__name__" {
			values[l] = d.pick("x", "y")
		}
	}
	out := source{metric: s.Name, stays: one(d, 40, 80, 95), values: numbers}
	if strings.HasSuffix(s.Name, "_total") || strings.HasSuffix(s.Name, "_count") || strings.HasSuffix(s.Name, "_bucket") {
		out.counter = true
	}
	if strings.HasSuffix(s.Name, "_bucket") {
		values["le"] = d.pick("0.1", "1", "10", "+Inf")
	}
	for _, m := range s.LabelMatchers {
		if value, ok := valueFor(d, m); ok && m.Name != "__name__" {
			values[m.Name] = value
		} else if ok && out.metric == "" {
			out.metric = value
		}
	}
	for name, value := range values {
		out.labels = append(out.labels, name, value)
	}
	return out
}

// valueFor is a value that a matcher takes.
func valueFor(d *dice, m *labels.Matcher) (string, bool) {
	candidates := append(strings.Split(m.Value, "|"), "x", "500", "a_b", "")
	for i, c := range candidates {
		for _, r := range [][2]string{{`\d+`, "1"}, {`.+`, "x"}, {`.*`, "x"}, {`\\.`, "."}, {`\.`, "."}, {`[0-9]+`, "1"}, {".", "0"}, {"(", ""}, {")", ""}, {"^", ""}, {"$", ""}, {"?:", ""}, {"?", ""}} {
			if m.Type == labels.MatchRegexp {
				c = strings.ReplaceAll(c, r[0], r[1])
			}
		}
		candidates[i] = c
	}
	first := d.between(0, len(candidates)-1)
	for i := range candidates {
		if c := candidates[(first+i)%len(candidates)]; c != "" && m.Matches(c) {
			return c, true
		}
	}
	return "", false
}

var nameForm = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

func distinct(all []source) []source {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(s source) bool {
		key := promlab.Float(0, s.metric, s.labels...).Labels.String()
		again := seen[key] || !nameForm.MatchString(s.metric)
		seen[key] = true
		return again
	})
}
