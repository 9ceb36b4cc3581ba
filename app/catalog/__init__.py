"""What is taught (courses, sections, lessons) and what is sold (products, prices, promotion codes)."""
