package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	measured, failed := results{}, false
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Println(lines.Text())
		measured.add(lines.Text())
		failed = failed || strings.HasPrefix(lines.Text(), "FAIL") || strings.HasPrefix(lines.Text(), "--- FAIL")
	}
	fmt.Print(table(rows(), measured))
	if failed || lines.Err() != nil {
		os.Exit(1)
	}
}
