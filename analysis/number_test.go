package analysis

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNumbersAreWrittenShort(t *testing.T) {
	for want, f := range map[string]float64{
		`"NaN"`: nan, `"+Inf"`: inf, `"-Inf"`: -inf, `0.05`: 0.05, `12408`: 12408, `1e+21`: 1e21, `-0`: math.Copysign(0, -1),
	} {
		got, err := json.Marshal(Number(f))
		if err != nil || string(got) != want {
			t.Errorf("%v is written %s (%v), want %s", f, got, err, want)
		}
	}
}

func TestNumbersReadBackToTheLastBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		data, err := json.Marshal(Reading{Value: num(f)})
		if err != nil {
			t.Fatal(err)
		}
		var back Reading
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		got := float64(*back.Value)
		if math.Float64bits(got) != math.Float64bits(f) && !(math.IsNaN(got) && math.IsNaN(f)) {
			t.Fatalf("%v became %v", f, got)
		}
	})
}

func TestTextThatIsNoNumberIsRefused(t *testing.T) {
	for _, text := range []string{`"1"`, `"nan"`, `"Inf"`, `true`, `{}`, `""`} {
		var n Number
		if err := json.Unmarshal([]byte(text), &n); err == nil {
			t.Errorf("%s was read as %v", text, n)
		}
	}
	n := Number(3)
	if err := json.Unmarshal([]byte("null"), &n); err != nil || n != 3 {
		t.Errorf("null made it %v (%v)", n, err)
	}
}

func TestReasonsTellNumbersApart(t *testing.T) {
	type pair struct{ A, B string }
	for name, c := range map[string]struct {
		a, b float64
		want pair
	}{
		"far apart":     {18.2266, 5, pair{"18.2", "5"}},
		"near":          {5.00012, 5, pair{"5.0001", "5"}},
		"next to":       {math.Nextafter(0.5, 1), 0.5, pair{"0.5000000000000001", "0.5"}},
		"equal":         {0.5, 0.5, pair{"0.5", "0.5"}},
		"large":         {123456.7, 500, pair{"123457", "500"}},
		"small":         {0.000321, 0.0005, pair{"0.000321", "0.0005"}},
		"very small":    {3.21e-9, 0, pair{"3.21e-09", "0"}},
		"very large":    {3.21e19, 1, pair{"3.21e+19", "1"}},
		"infinite":      {inf, -inf, pair{"+Inf", "-Inf"}},
		"rounding up":   {9.9999, 1, pair{"10", "1"}},
		"tens of limit": {100, 10, pair{"100", "10"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := apart(c.a, c.b)
			if diff := cmp.Diff(c.want, pair{a, b}); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}
