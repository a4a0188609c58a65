package survey

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/rules"
)

// Known is what a server showed. What is missing in it was not asked, or has no answer, and leads to no note.
type Known struct {
	Counts  map[string]float64             // how many series there are, by question
	Names   []string                       // of all metrics of the last hour
	Labels  map[string][]string            // names of labels, by metric
	Values  map[string]map[string][]string // of labels, by metric and label
	Types   map[string][]string            // that exporters declare, by metric
	Spacing map[string]time.Duration       // of samples, by [View.All]
}

// Note is one thing to warn of, at a place of the template's text.
type Note struct {
	View          View
	At            int  // in bytes of the template's text
	Window        bool // it is about the rule's window, wherever that is written
	Message, Cure string
}

// Inspect holds a view against what a server has. window is what {{window}} stands for.
func (k Known) Inspect(v View, window time.Duration) []Note {
	if v.Metric == "" {
		return nil
	}
	n := notes{View: v, known: k}
	n.kind()
	n.length(window)
	if series, asked := k.Counts[count(v.series())]; asked && series == 0 {
		n.noMetric()
		return n.out
	}
	for _, m := range v.Matchers {
		if v.checked(m) {
			n.matcher(m)
		}
	}
	if series, asked := k.Counts[count(v.All())]; asked && series == 0 && !n.missing {
		n.add(v.Start, "look for a series of the service in Prometheus, and compare its labels", "%s has each of these labels, but no series has them together", v.Metric)
	}
	return n.out
}

// Missing lists the labels of the view that its metric has, but not with that value: their values help to correct it.
func (k Known) Missing(v View) []string {
	var out []string
	for _, m := range v.Matchers {
		if n, asked := k.Counts[count(v.series(m))]; asked && n == 0 && !v.isOptional(m) && !slices.Contains(out, m.Label) {
			out = append(out, m.Label)
		}
	}
	return out
}

// notes are those of one view.
type notes struct {
	View
	known   Known
	missing bool // something is not there
	out     []Note
}

func (n *notes) add(at int, cure, format string, args ...any) {
	n.out = append(n.out, Note{View: n.View, At: at, Message: fmt.Sprintf(format, args...), Cure: cure})
}

func (n *notes) noMetric() {
	if slices.Contains(n.known.Names, n.Metric) {
		n.add(n.Start, "see in Prometheus whether its target is up", "%s has no series now, but had some in the last hour", n.Metric)
		return
	}
	otherwise := "look for it in Prometheus: is the service scraped, and has it been asked anything yet?"
	if n.rare {
		otherwise = "a counter that begins with its first error may be missing; else look for its name in Prometheus"
	}
	n.add(n.Start, nearest(n.Metric, n.known.Names, otherwise), "Prometheus has no metric %s, and had none in the last hour", n.Metric)
}

// matcher tells of a label, or a value of it, that the metric does not have.
func (n *notes) matcher(m rules.Matcher) {
	if series, asked := n.known.Counts[count(n.series(labelled(m)))]; asked && series == 0 {
		n.missing = true
		n.add(m.At, nearest(m.Label, n.known.Labels[n.Metric], "its labels: "+listed(n.known.Labels[n.Metric])), "no series of %s has a label %s", n.Metric, m.Label)
		return
	}
	series, asked := n.known.Counts[count(n.series(m))]
	if !asked || series > 0 || n.isOptional(m) {
		return
	}
	n.missing = true
	value := n.shown(m)
	values := n.known.Values[n.Metric][m.Label]
	n.add(m.At, nearest(value, values, "its values: "+listed(values)), "no series of %s has %s%s%q", n.Metric, m.Label, m.Op, value)
}

// shown is a matcher's value for people: with the variables that are known.
func (n *notes) shown(m rules.Matcher) string {
	return variable.ReplaceAllStringFunc(m.Value, func(found string) string {
		if value, ok := valueOf(strings.TrimSpace(found[2:len(found)-2]), n.Vars); ok {
			return value
		}
		return found
	})
}

// kind tells of a gauge that is counted.
func (n *notes) kind() {
	counting := slices.Contains([]string{"rate", "irate", "increase"}, n.Func)
	if counting && slices.Equal(n.known.Types[n.Metric], []string{"gauge"}) {
		n.add(n.Start, "select a counter, or ask for the gauge itself: avg_over_time(…[{{window}}])",
			"%s is a gauge, and %s takes each fall of it for a restart", n.Metric, n.Func)
	}
}

var ofOneSample = regexp.MustCompile(`_over_time$`)

// length tells of a range that is too short to hold the samples that its function needs.
func (n *notes) length(window time.Duration) {
	spacing := n.known.Spacing[n.All()]
	length := n.Range(window)
	samples, needed := time.Duration(2), "two samples"
	if ofOneSample.MatchString(n.Func) {
		samples, needed = 1, "a sample"
	}
	if !n.Ranged || spacing == 0 || float64(length) >= 0.95*float64(samples*spacing) { // scrapes are not exact
		return
	}
	enough := model.Duration(roundUp(4 * spacing.Round(100*time.Millisecond)))
	note := Note{View: n.View, At: n.End, Window: n.OfWindow(),
		Message: fmt.Sprintf("%s of %s is often without %s: they are %s apart", model.Duration(length), n.Metric, needed, model.Duration(spacing.Round(100*time.Millisecond)))}
	note.Cure = fmt.Sprintf("write [%s], four times that", enough)
	if note.Window {
		note.Cure = fmt.Sprintf("write `window: %s`, four times that", enough)
	}
	n.out = append(n.out, note)
}

// roundUp rounds to whole seconds, and from a minute on to ten of them.
func roundUp(d time.Duration) time.Duration {
	unit := time.Second
	if d > time.Minute {
		unit = 10 * time.Second
	}
	return (d + unit - 1).Truncate(unit)
}

// nearest is the cure that names the nearest of some words, or another one where none is near.
func nearest(word string, words []string, otherwise string) string {
	if cure := diag.Suggest(word, words); strings.HasPrefix(cure, "did you mean") {
		return cure
	}
	return otherwise
}

// listed is a few of some words.
func listed(words []string) string {
	const few = 8
	switch {
	case len(words) == 0:
		return "none"
	case len(words) > few:
		return fmt.Sprintf("%s and %d more", strings.Join(words[:few], ", "), len(words)-few)
	}
	return strings.Join(words, ", ")
}
