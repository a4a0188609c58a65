package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Render fills in the variables. Text outside of them is kept byte for byte, and each value is escaped for the place it
// stands in, so that no value can change the query's shape. An empty value is an error, except of {{vars.NAME}}: a
// matcher for "" would select the series that lack the label.
func (t Template) Render(v Vars) (string, error) {
	var b strings.Builder
	b.Grow(len(t.text) + 48)
	for i := range t.pieces {
		p := &t.pieces[i]
		b.WriteString(p.literal)
		if p.variable == noVariable {
			continue
		}
		if err := p.write(&b, v); err != nil {
			return "", fmt.Errorf("render {{%s}}: %w", p.name, err)
		}
	}
	return b.String(), nil
}

func (p *placeholder) write(b *strings.Builder, v Vars) error {
	switch p.place {
	case placeDuration:
		return writeDuration(b, v.Window)
	case placeNumber:
		n, err := p.number(v)
		if err != nil {
			return err
		}
		return writeNumber(b, n)
	}
	value, err := p.text(v)
	if err != nil {
		return err
	}
	return p.writeText(b, value)
}

// text is the variable's value inside a string.
func (p *placeholder) text(v Vars) (string, error) {
	var value string
	switch p.variable {
	case varStep, varWeight:
		n, err := p.number(v)
		return strconv.FormatFloat(n, 'f', -1, 64), err
	case varWindow:
		var b strings.Builder
		err := writeDuration(&b, v.Window)
		return b.String(), err
	case varExtra:
		value, ok := v.Extra[p.name[len(extraPrefix):]]
		if !ok {
			return "", fmt.Errorf("the policy's vars have no %q", p.name[len(extraPrefix):])
		}
		return value, nil
	case varService:
		value = v.Service
	case varEnvironment:
		value = v.Environment
	case varVersion:
		value = v.Version
	case varStableVersion:
		value = v.StableVersion
	case varVariant:
		value = v.Variant
	case varFlag:
		value = v.Flag
	}
	if value == "" {
		return "", fmt.Errorf("there is no %s", strings.ReplaceAll(p.name, "_", " "))
	}
	return value, nil
}

// number is the variable's value as a bare number; the window counts in seconds, as in PromQL.
func (p *placeholder) number(v Vars) (float64, error) {
	switch p.variable {
	case varStep:
		return float64(v.Step), nil
	case varWeight:
		return v.Weight, nil
	case varWindow:
		if v.Window <= 0 {
			return 0, fmt.Errorf("a window of %s is not positive", v.Window)
		}
		return max(v.Window.Truncate(time.Millisecond), time.Millisecond).Seconds(), nil
	}
	text, err := p.text(v)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return n, nil
}

// writeNumber writes n. A negative number gets parentheses, or -2 in front of ^2 would become -(2^2).
func writeNumber(b *strings.Builder, n float64) error {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return fmt.Errorf("%v is not finite", n)
	}
	var buf [32]byte
	digits := strconv.AppendFloat(buf[:0], n, 'g', -1, 64)
	if n >= 0 {
		b.Write(digits)
		return nil
	}
	b.WriteByte('(')
	b.Write(digits)
	b.WriteByte(')')
	return nil
}

var durationUnits = [...]struct {
	name string
	size time.Duration
}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}

// writeDuration writes d in PromQL's notation, in whole milliseconds rounded down, yet at least one.
func writeDuration(b *strings.Builder, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("a window of %s is not positive", d)
	}
	var buf [20]byte
	for d = max(d, time.Millisecond); d >= time.Millisecond; {
		for _, unit := range durationUnits {
			if n := d / unit.size; n > 0 {
				b.Write(strconv.AppendInt(buf[:0], int64(n), 10))
				b.WriteString(unit.name)
				d -= n * unit.size
			}
		}
	}
	return nil
}

// regexSpecial are the bytes that regexp.QuoteMeta escapes.
const regexSpecial = `\.+*?()|[]{}^$`

// writeText writes a value inside a string literal: first escaped for what the string is used as, then for the string.
func (p *placeholder) writeText(b *strings.Builder, value string) error {
	if !utf8.ValidString(value) {
		return fmt.Errorf("%q is not UTF-8", value)
	}
	if p.plain(value) {
		b.WriteString(value)
		return nil
	}
	for _, r := range value {
		switch {
		case p.place == placeRegex && r < utf8.RuneSelf && strings.IndexByte(regexSpecial, byte(r)) >= 0:
			p.writeRune(b, '\\')
		case p.place == placeReplacement && r == '$':
			b.WriteByte('$')
		}
		if p.quote == '`' && (r == '`' || r == utf8.RuneError) {
			return fmt.Errorf("%q cannot be written between backticks: quote the string with \" instead", value)
		}
		p.writeRune(b, r)
	}
	return nil
}

// plain reports whether the value needs no escape here: nearly all do not.
func (p *placeholder) plain(value string) bool {
	for i := range len(value) {
		c := value[i]
		switch {
		case c < ' ' || c >= 0x7f || c == '\\' || c == p.quote:
			return false
		case p.place != placeText && strings.IndexByte(regexSpecial, c) >= 0:
			return false
		}
	}
	return true
}

// writeRune writes r for the string's kind of quotes. PromQL's lexer refuses U+FFFD itself, but not its escape.
func (p *placeholder) writeRune(b *strings.Builder, r rune) {
	const hex = "0123456789abcdef"
	switch {
	case p.quote == '`':
		b.WriteRune(r)
	case r == rune(p.quote) || r == '\\':
		b.WriteByte('\\')
		b.WriteRune(r)
	case r == '\n':
		b.WriteString(`\n`)
	case r < ' ' || r == 0x7f:
		b.WriteString(`\x`)
		b.WriteByte(hex[r>>4])
		b.WriteByte(hex[r&15])
	case r == utf8.RuneError:
		b.WriteString(`\ufffd`)
	default:
		b.WriteRune(r)
	}
}
