# The part of the site that pkgdown makes: start page, reference and vignettes of R, NEWS and the
# Markdown files beside README.md; and an empty page for each depth, which tools/site.py fills.
# Run by `make site`.

# Vignettes are rendered in processes of their own, which need an installed package.
installed <- tempfile("library")
dir.create(installed)
utils::install.packages(".", installed, repos = NULL, type = "source", quiet = TRUE)
.libPaths(c(installed, .libPaths()))

options(pkgdown.internet = FALSE)
site <- pkgdown::as_pkgdown(".")
unlink("site", recursive = TRUE)
pkgdown::init_site(site)
pkgdown::build_home(site)
pkgdown::build_reference(site, preview = FALSE, devel = FALSE)
pkgdown::build_articles(site, preview = FALSE)
pkgdown::build_news(site, preview = FALSE)
dir.create(file.path("site", "frames"))
for (depth in 0:2) {
  pkgdown::render_page(
    site, "title-body", list(pagetitle = "@title@", body = "<div>@body@</div>"),
    file.path("frames", paste0(depth, ".html")),
    depth = depth, quiet = TRUE
  )
}
# Bootstrap and pkgdown's own search are not used; its page for wrong addresses has to know the
# address of the site, tools/site.py has one that does not.
unlink(file.path("site", c("deps", "pkgdown.js", "link.svg", "404.html")), recursive = TRUE)
