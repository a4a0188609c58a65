package analysis

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// num makes an optional Number.
func num(f float64) *Number {
	n := Number(f)
	return &n
}

// MarshalJSON writes the shortest text that reads back to the same number; NaN, +Inf and -Inf become strings.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	switch {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"+Inf"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Inf"`), nil
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads a number, or one of the strings NaN, +Inf, -Inf. null changes nothing.
func (n *Number) UnmarshalJSON(data []byte) error {
	switch text := string(data); text {
	case "null":
		return nil
	case `"NaN"`, `"+Inf"`, `"-Inf"`:
		f, err := strconv.ParseFloat(text[1:len(text)-1], 64)
		*n = Number(f)
		return err
	}
	var f float64
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("read a number from %.40q: %w", data, err)
	}
	*n = Number(f)
	return nil
}
