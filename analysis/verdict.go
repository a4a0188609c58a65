package analysis

import "fmt"

// Verdict is what a reading, or all readings, say about a version. The zero value is NoData: nothing known is never a pass.
type Verdict uint8

// The verdicts.
const (
	NoData       Verdict = iota // nothing was measured
	Healthy                     // measured, enough of it, and inside the limits
	Inconclusive                // measured, but it proves nothing yet: too few samples, or a window from before
	Outage                      // Prometheus did not answer, or its answer cannot be used
	Unhealthy                   // measured, and outside the limits; or lost
)

var verdictNames = [...]string{NoData: "no data", Healthy: "healthy", Inconclusive: "inconclusive", Outage: "outage", Unhealthy: "unhealthy"}

// severity orders the verdicts over all rules: unhealthy > outage > no data > inconclusive > healthy (design, section 5).
var severity = [...]int{Healthy: 0, Inconclusive: 1, NoData: 2, Outage: 3, Unhealthy: 4}

// String is the verdict's word.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// MarshalText is the verdict's word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the verdict's word.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, name := range verdictNames {
		if name == string(text) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("unknown verdict %q", text)
}

// Worse reports whether v is worse than w.
func (v Verdict) Worse(w Verdict) bool { return severity[v] > severity[w] }

// Overall is the worst verdict of all; of none it is NoData.
func Overall(js []Judgement) Verdict {
	if len(js) == 0 {
		return NoData
	}
	worst := Healthy
	for _, j := range js {
		if j.Verdict.Worse(worst) {
			worst = j.Verdict
		}
	}
	return worst
}
