package notify

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
)

func count(n int) string { return strconv.Itoa(n) }

// share is a percentage of traffic: "25 %", "0.5 %"; "" for what is none.
func share(percent float64) string {
	if !(percent > 0 && percent <= 100) {
		return ""
	}
	return strconv.FormatFloat(math.Round(percent*100)/100, 'f', -1, 64) + " %"
}

// span is a duration in the two largest of its units: "2m", "1h5m", "3d4h".
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Minute)
	}
	var out []string
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / u.size; n > 0 && len(out) < 2 {
			out = append(out, strconv.FormatInt(int64(n), 10)+u.name)
		}
		d %= u.size
	}
	return strings.Join(out, "")
}

// number is a value with so many significant digits; a ratio is in percent.
func number(v float64, digits int, ratio bool) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	if ratio {
		return decimal(v*100, digits) + " %"
	}
	return decimal(v, digits)
}

func decimal(v float64, digits int) string {
	short := strconv.FormatFloat(v, 'g', digits, 64)
	rounded, err := strconv.ParseFloat(short, 64)
	if size := math.Abs(rounded); err != nil || size != 0 && (size < 1e-4 || size >= 1e9) {
		return short
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

const (
	usualDigits = 3
	allDigits   = 17
)

// compared is a value and its limit: "18.2 % > 5 %". Two that differ never look the same.
func compared(value, limit float64, ratio bool) string {
	digits, sign := usualDigits, "="
	switch {
	case value > limit:
		sign = ">"
	case value < limit:
		sign = "<"
	case value != limit: // not a number
		sign = "against"
	}
	for value != limit && digits < allDigits && number(value, digits, ratio) == number(limit, digits, ratio) {
		digits++
	}
	return number(value, digits, ratio) + " " + sign + " " + number(limit, digits, ratio)
}

// measured is what a judgement says of its rule: value, limit and what they rest on, or why there is no value.
func measured(j analysis.Judgement, q quote) string {
	r := j.Reading
	if j.Lost || r.Value == nil {
		said := j.Verdict.String()
		if j.Lost {
			said = "the series were there and have vanished"
		}
		if why := q(firstOf(r.Error, j.Reason), maxReason); why != "" && !j.Lost {
			said += ": " + why
		}
		return said
	}
	ratio := r.Total != nil
	said := number(float64(*r.Value), usualDigits, ratio)
	if r.Limit != nil {
		said = q(compared(float64(*r.Value), float64(*r.Limit), ratio), maxName)
	}
	if facts := restsOn(j, ratio); len(facts) > 0 {
		said += " (" + strings.Join(facts, ", ") + ")"
	}
	return said
}

func restsOn(j analysis.Judgement, ratio bool) []string {
	var facts []string
	r := j.Reading
	if j.Critical {
		facts = append(facts, "critical")
	}
	if r.Stable != nil {
		facts = append(facts, "stable "+number(float64(*r.Stable), usualDigits, ratio))
	}
	if r.Total != nil {
		facts = append(facts, number(math.Round(float64(*r.Total)), allDigits, false)+" requests")
	}
	if r.Window > 0 {
		facts = append(facts, span(r.Window))
	}
	return facts
}

func firstOf(all ...string) string {
	for _, s := range all {
		if strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}
