package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDesignNamesWhatIsThere checks the names in the pages about the code.
func TestDesignNamesWhatIsThere(t *testing.T) {
	for page, atLeast := range map[string]int{
		"DESIGN.md": 100, "docs/explanation/decisions.md": 30, "docs/explanation/decisions-share-groups.md": 2,
	} {
		t.Run(path.Base(page), func(t *testing.T) {
			assert.GreaterOrEqual(t, checkNames(t, page), atLeast, "names that were checked")
		})
	}
}

// checkNames checks `dir/file.go: name`, `file.go: name` of the folder named last, files, and
// `package.Type.member` in a page. It returns how many there are.
func checkNames(t *testing.T, page string) (checked int) {
	t.Helper()
	folder := ""
	place := regexp.MustCompile(`^([\w/]+\.(?:go|lua|md))(?:: (\w+))?$`)
	member := regexp.MustCompile(
		`^(splits|appender|broker|keys|script|access|admin|embedded|input|output)\.([A-Z]\w*|[a-z]\w*)(?:\.(\w+))?$`,
	)
	for _, span := range code(document(t, page)) {
		if match := place.FindStringSubmatch(span); match != nil {
			file := locate(t, page, match[1], folder)
			if strings.Contains(match[1], "/") {
				folder = path.Dir(match[1])
			}
			if match[2] != "" {
				assert.Contains(t, declared(t, file), match[2], span)
			}
			checked++
		} else if match := member.FindStringSubmatch(span); match != nil {
			assert.Contains(
				t,
				declared(t, packageFiles(t, match[1])...),
				strings.TrimSuffix(match[2]+"."+match[3], "."),
				span,
			)
			checked++
		}
	}
	return checked
}

// TestWaysOfAMessageAreShort counts the files in the steps of the way in and of the way out.
func TestWaysOfAMessageAreShort(t *testing.T) {
	file := regexp.MustCompile("`(?:[\\w/]+/)?(\\w+\\.(?:go|lua))")
	for _, heading := range []string{"The way in: Benthos to Redis", "The way out: Redis to Benthos"} {
		steps, _, found := strings.Cut(section(t, document(t, "DESIGN.md"), heading), "\nOn the side:")
		require.True(t, found, heading)
		files := map[string]bool{}
		for _, match := range file.FindAllStringSubmatch(steps, -1) {
			files[match[1]] = true
		}
		assert.LessOrEqual(t, len(files), 24, "%s: %v", heading, files)
		assert.Greater(t, len(files), 15, heading)
	}
}

// locate finds a file that a document names: by its path, else in the folder that was named last,
// else anywhere.
func locate(t *testing.T, page, name, folder string) string {
	t.Helper()
	for _, candidate := range []string{name, path.Join(folder, name)} {
		if _, err := os.Stat(filepath.Join(repository, candidate)); err == nil {
			return filepath.Join(repository, candidate)
		}
	}
	found := ""
	require.NoError(t, filepath.WalkDir(repository, func(file string, _ fs.DirEntry, err error) error {
		if path.Base(filepath.ToSlash(file)) == name {
			found = file
		}
		return err
	}))
	require.NotEmpty(t, found, "%s names %s", page, name)
	return found
}

func packageFiles(t *testing.T, name string) []string {
	t.Helper()
	for _, folder := range []string{name, "internal/" + name} {
		if files, err := filepath.Glob(filepath.Join(repository, folder, "*.go")); err == nil && len(files) > 0 {
			return files
		}
	}
	require.Fail(t, "no package", name)
	return nil
}

// declared returns the names that files declare at their top: functions and methods by their own
// name, methods and fields also as Type.name.
func declared(t *testing.T, files ...string) []string {
	t.Helper()
	var names []string
	for _, file := range files {
		if !strings.HasSuffix(file, ".go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				names = append(names, d.Name.Name)
				if d.Recv != nil {
					names = append(names, receiver(d.Recv.List[0].Type)+"."+d.Name.Name)
				}
			case *ast.GenDecl:
				names = append(names, typesAndFields(d)...)
			}
		}
	}
	return names
}

func receiver(expression ast.Expr) string {
	if pointer, ok := expression.(*ast.StarExpr); ok {
		expression = pointer.X
	}
	if generic, ok := expression.(*ast.IndexExpr); ok {
		expression = generic.X
	}
	name, _ := expression.(*ast.Ident)
	return name.Name
}

func typesAndFields(d *ast.GenDecl) (names []string) {
	for _, spec := range d.Specs {
		declared, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		names = append(names, declared.Name.Name)
		structure, ok := declared.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range structure.Fields.List {
			for _, name := range field.Names {
				names = append(names, declared.Name.Name+"."+name.Name)
			}
		}
	}
	return names
}
